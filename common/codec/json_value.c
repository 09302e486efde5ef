#include "codec/json_value.h"

#include <stdlib.h>

#include "base/number.h"

/* Of what was begun, or of the text. */
static bool is_end(enum json_token token)
{
	return token == JSON_FAULT || token == JSON_END ||
	       token == JSON_OBJECT_END || token == JSON_ARRAY_END;
}

/* Before an item there may be a comma too. */
static const char *pass_white(const char *at)
{
	while (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r' || *at == ',')
		at++;
	return at;
}

/* Takes a value from its first token to its last. */
bool json_item_next(struct json_reader *reader, struct json_value *value,
                    struct buffer *string)
{
	const char *first = reader->rest.data;
	int depth = reader->depth;
	enum json_token token = json_next(reader, string);

	*value = (struct json_value){0};
	if (is_end(token))
		return false;
	value->kind = token;
	while (reader->depth > depth && token != JSON_FAULT)
		token = json_next(reader, string);
	if (token == JSON_FAULT)
		return false;
	first = pass_white(first);
	value->written = (struct text){first, (size_t)(reader->rest.data - first)};
	if (token == JSON_STRING) {
		buffer_add(string, "", 1);
		value->string = string->data;
	}
	return true;
}

bool json_member_next(struct json_reader *reader, struct buffer *name,
                      struct json_value *value, struct buffer *string)
{
	return json_next(reader, name) == JSON_NAME &&
	       json_item_next(reader, value, string);
}

void json_value_open(struct text written, struct json_reader *reader)
{
	struct buffer none = {0};

	json_reader_init(reader, written);
	json_next(reader, &none);
}

/* ---- Those that are wanted ---- */

struct wanted {
	const char *const *names;
	size_t count;
	struct json_value *values;
	struct buffer *strings;
};

/* There is always space for a string: with its quotes it was longer than with a NUL.
 * So the buffer does not grow, and strings stored before do not move. */
static const char *keep_string(struct buffer *strings, const char *string)
{
	const char *kept = strings->data + strings->size;

	buffer_add(strings, string, strlen(string) + 1);
	return kept;
}

static void keep_wanted(const struct wanted *wanted, struct text name,
                        struct json_value *value)
{
	bool is_kept = value->string == NULL;

	for (size_t i = 0; i < wanted->count; i++) {
		if (!text_is(name, wanted->names[i]))
			continue;
		if (!is_kept)
			value->string = keep_string(wanted->strings, value->string);
		is_kept = true;
		wanted->values[i] = *value;
	}
}

static bool read_members(struct json_reader *reader, const struct wanted *wanted)
{
	struct buffer name = {0}, string = {0};
	struct json_value value;
	bool is_object = json_next(reader, &name) == JSON_OBJECT_BEGIN;

	while (is_object && json_member_next(reader, &name, &value, &string))
		keep_wanted(wanted, buffer_text(&name), &value);
	bool good = is_object && json_next(reader, &name) == JSON_END;
	buffer_release(&name);
	buffer_release(&string);
	return good;
}

static void clear_values(const struct wanted *wanted)
{
	for (size_t i = 0; i < wanted->count; i++)
		wanted->values[i] = (struct json_value){0};
}

bool json_object_read(struct text text, const char *const *names, size_t count,
                      struct json_value *values, struct buffer *strings)
{
	const struct wanted wanted = {names, count, values, strings};
	struct json_names seen = {0};
	struct json_reader reader;

	clear_values(&wanted);
	buffer_clear(strings);
	buffer_reserve(strings, text.size);
	json_reader_init_strict(&reader, text, &seen);
	bool good = read_members(&reader, &wanted);
	json_names_release(&seen);
	if (!good)
		clear_values(&wanted);
	return good;
}

/* ---- Values ---- */

bool json_value_may_be(const struct json_value *value, enum json_token kind)
{
	return value->kind == JSON_FAULT || value->kind == kind;
}

bool json_value_is(const struct json_value *value, const char *string)
{
	return value->string != NULL && strcmp(value->string, string) == 0;
}

/* The locale is that of C. */
static int64_t whole_of(const char *number)
{
	static const double beyond = 9223372036854775808.0;
	double value = strtod(number, NULL);

	if (value >= beyond)
		return INT64_MAX;
	return value <= -beyond ? INT64_MIN : (int64_t)value;
}

bool json_value_whole(const struct json_value *value, int64_t *whole)
{
	struct buffer copy = {0};

	if (value->kind != JSON_NUMBER)
		return false;
	if (number_parse(value->written, 0, INT64_MAX, whole))
		return true;
	buffer_add_text(&copy, value->written);
	buffer_add(&copy, "", 1);
	*whole = whole_of(copy.data);
	buffer_release(&copy);
	return true;
}

static void render_token(const struct json_reader *reader, enum json_token token,
                         const struct buffer *string, struct buffer *b)
{
	static const char *const words[] = {
		[JSON_OBJECT_BEGIN] = "{", [JSON_OBJECT_END] = "}",
		[JSON_ARRAY_BEGIN] = "[",  [JSON_ARRAY_END] = "]",
		[JSON_TRUE] = "true",      [JSON_FALSE] = "false",
		[JSON_NULL] = "null",
	};

	if (token == JSON_NAME || token == JSON_STRING)
		buffer_add_json(b, buffer_text(string));
	else if (token == JSON_NUMBER)
		buffer_add_text(b, reader->number);
	else
		buffer_add_string(b, words[token]);
	if (token == JSON_NAME)
		buffer_add_string(b, ":");
}

void json_value_render(const struct json_value *value, struct buffer *b)
{
	struct buffer string = {0};
	struct json_reader reader;
	enum json_token token;
	bool is_behind = false; /* another in the same object or array */

	json_reader_init(&reader, value->written);
	while ((token = json_next(&reader, &string)) != JSON_END &&
	       token != JSON_FAULT) {
		if (is_behind && !is_end(token))
			buffer_add_string(b, ",");
		render_token(&reader, token, &string, b);
		is_behind = token != JSON_NAME && token != JSON_OBJECT_BEGIN &&
		            token != JSON_ARRAY_BEGIN;
	}
	buffer_release(&string);
}
