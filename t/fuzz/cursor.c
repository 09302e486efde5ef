/* Fuzzes common/cursor: what parses has one text and one meaning, and every
 * cursor that can be made parses to itself. */
#include "codec/cursor.h"

#include "fuzz.h"

static bool is_same(const struct cursor *a, const struct cursor *b)
{
	return a->id == b->id && a->names_log == b->names_log &&
	       a->log == b->log && a->has_position == b->has_position &&
	       a->epoch == b->epoch && a->position == b->position;
}

/* No two texts mean the same. */
static void check_parsed(struct text text, const struct cursor *cursor)
{
	struct buffer again = {0};

	CLAIM(cursor->id >= 0 && cursor->position >= 0);
	CLAIM(cursor->names_log || !cursor->has_position);
	if (cursor->names_log)
		cursor_render(cursor, &again);
	else
		buffer_add_integer(&again, cursor->id);
	CLAIM(text_equal(buffer_text(&again), text));
	buffer_release(&again);
}

static int64_t take_number(const uint8_t *at)
{
	uint64_t number;

	memcpy(&number, at, sizeof number);
	return (int64_t)(number & INT64_MAX);
}

static void check_made(const uint8_t *data)
{
	struct cursor made = {.names_log = true, .has_position = data[0] & 1};
	struct cursor parsed;
	struct buffer text = {0};

	memcpy(&made.log, data + 1, 4);
	made.id = take_number(data + 5);
	if (made.has_position) {
		memcpy(&made.epoch, data + 13, 4);
		made.position = take_number(data + 17);
	}
	cursor_render(&made, &text);
	CLAIM(text.size <= CURSOR_MAX);
	for (size_t i = 0; i < text.size; i++)
		CLAIM(strchr("0123456789abcdef.", text.data[i]) != NULL);
	CLAIM(cursor_parse(buffer_text(&text), &parsed));
	CLAIM(is_same(&made, &parsed));
	buffer_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text text = input_text(data, size);
	struct cursor cursor;

	if (cursor_parse(text, &cursor)) {
		CLAIM(size >= 1 && size <= CURSOR_MAX);
		check_parsed(text, &cursor);
	}
	if (size >= 25)
		check_made(data);
	return 0;
}
