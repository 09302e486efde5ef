/* Fuzzes common/room_name beside the rule of PROTOCOL section 2. */
#include "codec/room_name.h"

#include "fuzz.h"

static const char largest_number[] = "9223372036854775807";

static bool has_only(struct text text, const char *allowed)
{
	for (size_t i = 0; i < text.size; i++)
		if (text.data[i] == '\0' || strchr(allowed, text.data[i]) == NULL)
			return false;
	return true;
}

static bool is_number(struct text digits)
{
	size_t most = sizeof largest_number - 1;

	return digits.data[0] != '0' &&
	       (digits.size < most ||
	        (digits.size == most &&
	         memcmp(digits.data, largest_number, most) <= 0));
}

/* What follows room_ if that is digits only; otherwise its size is 0. */
static struct text digits_of(struct text name)
{
	struct text digits = {name.data + 5, name.size - 5};

	if (name.size > 5 && memcmp(name.data, "room_", 5) == 0 &&
	    has_only(digits, "0123456789"))
		return digits;
	return (struct text){NULL, 0};
}

static bool is_room(struct text name)
{
	if (name.size < 1 || name.size > 64 || text_is(name, ".") ||
	    text_is(name, "..") ||
	    !has_only(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                    "abcdefghijklmnopqrstuvwxyz0123456789._~-"))
		return false;
	struct text digits = digits_of(name);
	return digits.size == 0 || is_number(digits);
}

static void check_numbered(const struct room_name *name, struct text digits)
{
	struct room_name again;

	room_name_from_number(name->number, &again);
	CLAIM(text_equal(room_name_text(&again), room_name_text(name)));
	CLAIM(again.number == name->number);
	CLAIM(text_equal(room_name_label(name), digits));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text text = input_text(data, size);
	struct room_name name;
	bool good = room_name_parse(text, &name);

	CLAIM(good == is_room(text));
	if (!good)
		return 0;
	CLAIM(text_equal(room_name_text(&name), text));
	CLAIM(strlen(name.string) == size);
	struct text digits = digits_of(text);
	CLAIM((name.number > 0) == (digits.size > 0));
	if (name.number > 0)
		check_numbered(&name, digits);
	else
		CLAIM(text_equal(room_name_label(&name), text));
	return 0;
}
