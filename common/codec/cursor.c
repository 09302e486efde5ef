#include "codec/cursor.h"

#include <assert.h>

#include "base/number.h"

/* Cuts the part before the next '.' (or the end) from *rest. */
static struct text next_part(struct text *rest)
{
	const char *dot =
		rest->size > 0 ? memchr(rest->data, '.', rest->size) : NULL;
	struct text part = *rest;

	if (dot == NULL) {
		*rest = (struct text){NULL, 0};
		return part;
	}
	part.size = (size_t)(dot - rest->data);
	rest->data += part.size + 1;
	rest->size -= part.size + 1;
	return part;
}

static bool parse_position(struct text rest, struct cursor *cursor)
{
	cursor->has_position = true;
	return number_parse_hex8(next_part(&rest), &cursor->epoch) &&
	       rest.data != NULL &&
	       number_parse(rest, 0, INT64_MAX, &cursor->position);
}

bool cursor_parse(struct text text, struct cursor *cursor)
{
	struct text rest = text;

	*cursor = (struct cursor){0};
	if (text.size == 0 || text.size > CURSOR_MAX)
		return false;
	if (memchr(text.data, '.', text.size) == NULL)
		return number_parse(text, 0, INT64_MAX, &cursor->id);
	cursor->names_log = true;
	if (!text_is(next_part(&rest), "1") ||
	    !number_parse_hex8(next_part(&rest), &cursor->log) ||
	    !number_parse(next_part(&rest), 0, INT64_MAX, &cursor->id))
		return false;
	return rest.data == NULL || parse_position(rest, cursor);
}

static void add_hex8(struct buffer *b, uint32_t number)
{
	static const char digits[] = "0123456789abcdef";
	char text[8];

	for (int i = 7; i >= 0; i--, number >>= 4)
		text[i] = digits[number & 0xf];
	buffer_add(b, text, sizeof text);
}

void cursor_render(const struct cursor *cursor, struct buffer *b)
{
	assert(cursor->names_log);
	buffer_add_string(b, "1.");
	add_hex8(b, cursor->log);
	buffer_add_string(b, ".");
	buffer_add_integer(b, cursor->id);
	if (!cursor->has_position)
		return;
	buffer_add_string(b, ".");
	add_hex8(b, cursor->epoch);
	buffer_add_string(b, ".");
	buffer_add_integer(b, cursor->position);
}
