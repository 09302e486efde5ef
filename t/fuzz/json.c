/* Fuzzes common/codec/json_reader, json_value and message_data: the input is a JSON
 * text.
 *
 * It is read to its end if, and only if, the strict reader finds one JSON text
 * there, in UTF-8, nested no deeper than allowed and without \u0000; and both
 * find the same members in the outermost object, with the same strings.
 *
 * It is a message's data if its members and its depth allow it, in the spelling that it
 * came in.
 *
 * It is an object without repeated members if, and only if, json-c, which keeps
 * one of two members, has as many as there are names. Rendered again it is the
 * same value. */
#include "codec/json_value.h"
#include "codec/message_data.h"

#include <json_visit.h>

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

static void visit(void *context, struct text name, struct text value,
                  struct text written)
{
	(void)written;
	note(context, name, value);
}

static bool is_value(enum json_token token)
{
	return token != JSON_NAME && token != JSON_OBJECT_END &&
	       token != JSON_ARRAY_END && token != JSON_END &&
	       token != JSON_FAULT;
}

/* Returns the first token, and counts the members of all objects. */
static enum json_token read_all(struct json_reader *reader, struct buffer *found,
                                size_t *members)
{
	struct buffer name = {0}, value = {0};
	enum json_token first = json_next(reader, &value), token = first;

	while (token != JSON_END && token != JSON_FAULT) {
		bool is_member = reader->depth == 1 && first == JSON_OBJECT_BEGIN;

		CLAIM(reader->depth <= JSON_DEPTH_MAX);
		token = json_next(reader, &value);
		*members += token == JSON_NAME;
		if (is_member && token == JSON_NAME) {
			buffer_clear(&name);
			buffer_add_text(&name, buffer_text(&value));
			token = json_next(reader, &value);
			/* It is given even if it is empty. */
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

/* For json_c_visit(), which visits objects and arrays a second time. */
static int count_member(json_object *value, int flags, json_object *parent,
                        /* NOLINTNEXTLINE(readability-non-const-parameter) */
                        const char *name, size_t *index, void *count)
{
	(void)value;
	(void)parent;
	(void)index;
	*(size_t *)count += name != NULL && flags != JSON_C_VISIT_SECOND;
	return JSON_C_VISIT_RETURN_CONTINUE;
}

/* As deep as we read, and with white space around it. */
static json_object *parse(struct text json)
{
	json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX + 1);
	json_object *object =
		json_tokener_parse_ex(tokener, json.data, (int)json.size);

	CLAIM(json_object_is_type(object, json_type_object));
	json_tokener_free(tokener);
	return object;
}

/* json-c (0.16) loses some pairs of escaped surrogates: behind another escape, it takes
 * the first half for one alone. */
static bool may_be_misread(struct text json)
{
	for (size_t i = 0; i + 4 <= json.size; i++)
		if (memcmp(json.data + i, "\\u", 2) == 0 &&
		    (json.data[i + 2] | 0x20) == 'd' &&
		    strchr("89abAB", json.data[i + 3]) != NULL)
			return true;
	return false;
}

static void check_rendered(struct text json, json_object *expected)
{
	const struct json_value value = {.kind = JSON_OBJECT_BEGIN, .written = json};
	struct buffer rendered = {0};

	json_value_render(&value, &rendered);
	json_object *again = parse(buffer_text(&rendered));
	CLAIM(json_object_equal(expected, again) || may_be_misread(json));
	json_object_put(again);
	buffer_release(&rendered);
}

/* An object that has so many members, some of them perhaps twice. */
static void check_object(struct text json, size_t members)
{
	struct buffer strings = {0};
	json_object *object = parse(json);
	size_t kept = 0;

	json_c_visit(object, 0, count_member, &kept);
	CLAIM(json_object_read(json, NULL, 0, NULL, &strings) ==
	      (kept == members));
	check_rendered(json, object);
	json_object_put(object);
	buffer_release(&strings);
}

/* An object is data as it is written, unless it is nested too deep, or a member comes
 * twice. */
static void check_data(struct text json, const struct rfc8259_found *all)
{
	struct buffer data = {0}, name = {0}, expected = {0};
	enum message_data_fault fault =
		message_data_read_text(json, SIZE_MAX, &data, &name);

	rfc8259_compact(json, &expected);
	CLAIM((fault == MESSAGE_DATA_FINE) ==
	      (all->nested <= MESSAGE_DATA_DEPTH_MAX && !all->has_twice));
	CLAIM(fault != MESSAGE_DATA_TWICE || all->has_twice);
	CLAIM(fault != MESSAGE_DATA_TOO_DEEP ||
	      all->nested > MESSAGE_DATA_DEPTH_MAX);
	if (fault == MESSAGE_DATA_FINE) {
		CLAIM(text_equal(buffer_text(&data), buffer_text(&expected)));
		buffer_clear(&data);
		CLAIM(message_data_read_text(json, expected.size, &data, &name) ==
		      MESSAGE_DATA_FINE);
		buffer_clear(&data);
		CLAIM(message_data_read_text(json, expected.size - 1, &data, &name) ==
		              MESSAGE_DATA_TOO_LONG &&
		      data.size == 0);
	}
	buffer_release(&data);
	buffer_release(&name);
	buffer_release(&expected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text json = input_text(data, size);
	struct buffer found = {0}, expected = {0};
	struct json_reader reader;
	struct rfc8259_found all = {0};
	size_t members = 0;

	if (size == 0)
		return 0;
	json_reader_init(&reader, json);
	enum json_token first = read_all(&reader, &found, &members);
	/* Which takes UTF-8 for granted. */
	bool good = is_utf8(json) &&
	            rfc8259_read(json, visit, &expected, &all);
	if (first == JSON_OBJECT_BEGIN && reader.fault == JSON_FINE) {
		CLAIM(good && all.depth <= JSON_DEPTH_MAX + 1);
		CLAIM(text_equal(buffer_text(&found), buffer_text(&expected)));
		check_object(json, members);
		check_data(json, &all);
	}
	CLAIM(!good || reader.fault != JSON_SYNTAX);
	CLAIM(reader.fault != JSON_NOT_UTF8 || !is_utf8(json));
	CLAIM(reader.fault != JSON_TOO_DEEP || !good || all.depth > JSON_DEPTH_MAX);
	buffer_release(&found);
	buffer_release(&expected);
	return 0;
}
