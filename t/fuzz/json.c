/* Fuzzes common/json_reader: the input is a JSON text.
 *
 * It is read to its end if, and only if, the strict reader finds one JSON text
 * there, nested no deeper than is allowed and without \u0000; and both find the
 * same members in the outermost object, with the same strings. */
#include "codec/json_reader.h"

#include "fuzz.h"
#include "rfc8259.h"

static void note(struct buffer *found, struct text name, struct text value)
{
	buffer_add_json(found, name);
	buffer_add_string(found, ":");
	if (value.data != NULL)
		buffer_add_json(found, value);
	buffer_add_string(found, "\n");
}

static void visit(void *context, struct text name, struct text value)
{
	note(context, name, value);
}

static bool is_value(enum json_token token)
{
	return token != JSON_NAME && token != JSON_OBJECT_END &&
	       token != JSON_ARRAY_END && token != JSON_END &&
	       token != JSON_FAULT;
}

/* Returns the first token. */
static enum json_token read_all(struct json_reader *reader, struct buffer *found)
{
	struct buffer name = {0}, value = {0};
	enum json_token first = json_next(reader, &value), token = first;

	while (token != JSON_END && token != JSON_FAULT) {
		bool is_member = reader->depth == 1 && first == JSON_OBJECT_BEGIN;

		CLAIM(reader->depth <= JSON_DEPTH_MAX);
		token = json_next(reader, &value);
		if (is_member && token == JSON_NAME) {
			buffer_clear(&name);
			buffer_add_text(&name, buffer_text(&value));
			token = json_next(reader, &value);
			/* Even if it is empty, it is given. */
			buffer_reserve(&value, 1);
			if (is_value(token))
				note(found, buffer_text(&name),
				     token == JSON_STRING
				             ? buffer_text(&value)
				             : (struct text){NULL, 0});
		}
	}
	CLAIM(json_next(reader, &value) == token);
	buffer_release(&name);
	buffer_release(&value);
	return first;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text json = input_text(data, size);
	struct buffer found = {0}, expected = {0};
	struct json_reader reader;
	int depth = 0;

	if (size == 0 || !is_utf8(json))
		return 0;
	json_reader_init(&reader, json);
	enum json_token first = read_all(&reader, &found);
	bool good = rfc8259_read(json, visit, &expected, &depth);
	if (first == JSON_OBJECT_BEGIN && reader.fault == JSON_FINE) {
		CLAIM(good && depth <= JSON_DEPTH_MAX + 1);
		CLAIM(text_equal(buffer_text(&found), buffer_text(&expected)));
	}
	CLAIM(!good || reader.fault != JSON_SYNTAX);
	CLAIM(reader.fault != JSON_TOO_DEEP || !good || depth > JSON_DEPTH_MAX);
	buffer_release(&found);
	buffer_release(&expected);
	return 0;
}
