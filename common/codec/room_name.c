#include "codec/room_name.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/number.h"

const char room_name_rule[] =
	"invalid room name: 1 to 64 of A-Z a-z 0-9 . _ ~ -, and room_<number> "
	"without leading zeros";

static const char numbered_prefix[] = "room_";
enum { PREFIX_SIZE = sizeof numbered_prefix - 1 };

static bool allowed(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '~' ||
	       c == '-';
}

static bool all_digits(struct text text)
{
	for (size_t i = 0; i < text.size; i++)
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
	return text.size > 0;
}

/* room_12a is an ordinary name; room_ with digits alone must be a valid number. */
static bool parse_number(struct text text, int64_t *number)
{
	*number = 0;
	if (text.size <= PREFIX_SIZE ||
	    memcmp(text.data, numbered_prefix, PREFIX_SIZE) != 0)
		return true;
	text.data += PREFIX_SIZE;
	text.size -= PREFIX_SIZE;
	if (!all_digits(text))
		return true;
	return number_parse(text, 1, INT64_MAX, number);
}

bool room_name_parse(struct text text, struct room_name *name)
{
	if (text.size < 1 || text.size > ROOM_NAME_MAX)
		return false;
	for (size_t i = 0; i < text.size; i++)
		if (!allowed(text.data[i]))
			return false;
	if (text_is(text, ".") || text_is(text, ".."))
		return false;
	memcpy(name->string, text.data, text.size);
	name->string[text.size] = '\0';
	name->size = (unsigned char)text.size;
	return parse_number(text, &name->number);
}

void room_name_from_number(int64_t number, struct room_name *name)
{
	assert(number > 0);
	name->number = number;
	name->size = (unsigned char)snprintf(name->string, sizeof name->string,
	                                     "%s%" PRId64, numbered_prefix,
	                                     number);
}

struct text room_name_text(const struct room_name *name)
{
	return (struct text){name->string, name->size};
}

struct text room_name_label(const struct room_name *name)
{
	struct text label = room_name_text(name);

	if (name->number > 0) {
		label.data += PREFIX_SIZE;
		label.size -= PREFIX_SIZE;
	}
	return label;
}
