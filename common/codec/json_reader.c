#include "codec/json_reader.h"

#include "base/number.h"
#include "base/plain.h"
#include "base/utf8.h"

/* What may come next, after white space. */
enum expected {
	EXPECT_VALUE,
	EXPECT_FIRST_ITEM, /* a value, or the array's end */
	EXPECT_FIRST_NAME, /* a name, or the object's end */
	EXPECT_MORE,       /* a comma, or the end of what is open */
};

void json_reader_init(struct json_reader *reader, struct text text)
{
	*reader = (struct json_reader){.rest = text, .expected = EXPECT_VALUE};
}

void json_reader_init_strict(struct json_reader *reader, struct text text,
                             struct json_names *names)
{
	json_reader_init(reader, text);
	json_names_clear(names);
	reader->names = names;
}

static enum json_token report_fault(struct json_reader *r, enum json_fault fault)
{
	r->fault = fault;
	return JSON_FAULT;
}

/* -1 at the end. */
static int peek(const struct json_reader *r)
{
	return r->rest.size > 0 ? (unsigned char)r->rest.data[0] : -1;
}

static void skip(struct json_reader *r, size_t size)
{
	r->rest.data += size;
	r->rest.size -= size;
}

static bool take_byte(struct json_reader *r, char c)
{
	if (peek(r) != c)
		return false;
	skip(r, 1);
	return true;
}

static void skip_white(struct json_reader *r)
{
	int c = peek(r);

	while (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
		skip(r, 1);
		c = peek(r);
	}
}

/* Whether a number or a word has ended: 05 is not the number 0 followed by a 5, and
 * nulll is not null followed by an l. */
static bool is_at_boundary(const struct json_reader *r)
{
	int c = peek(r);

	return c < 0 || (c > 0 && strchr(" \t\r\n,]}", c) != NULL);
}

static bool take_digits(struct json_reader *r)
{
	const char *first = r->rest.data;

	while (peek(r) >= '0' && peek(r) <= '9')
		skip(r, 1);
	return r->rest.data > first;
}

static bool take_digits_of_number(struct json_reader *r)
{
	take_byte(r, '-');
	if (!take_byte(r, '0') && !take_digits(r))
		return false;
	if (take_byte(r, '.') && !take_digits(r))
		return false;
	if (!take_byte(r, 'e') && !take_byte(r, 'E'))
		return true;
	if (!take_byte(r, '+'))
		take_byte(r, '-');
	return take_digits(r);
}

static enum json_token take_number_token(struct json_reader *r)
{
	const char *first = r->rest.data;

	if (!take_digits_of_number(r) || !is_at_boundary(r))
		return report_fault(r, JSON_SYNTAX);
	r->number = (struct text){first, (size_t)(r->rest.data - first)};
	return JSON_NUMBER;
}

static enum json_token take_word(struct json_reader *r, const char *word,
                                 enum json_token token)
{
	size_t size = strlen(word);

	if (r->rest.size < size || memcmp(r->rest.data, word, size) != 0)
		return report_fault(r, JSON_SYNTAX);
	skip(r, size);
	return is_at_boundary(r) ? token : report_fault(r, JSON_SYNTAX);
}

/* Returns where the characters beyond ASCII end that begin there. */
static const char *pass_beyond_ascii(const char *at, const char *end)
{
	while (at < end && (unsigned char)*at >= 0x80) {
		size_t size = utf8_length(at, (size_t)(end - at));

		if (size == 0)
			break;
		at += size;
	}
	return at;
}

/* The length of the part of a string without escapes. */
static size_t literal_length(struct text text)
{
	const char *end = text.data + text.size;
	const char *at = text.data + plain_length(text), *from;

	while ((from = pass_beyond_ascii(at, end)) > at)
		at = from + plain_length((struct text){from, (size_t)(end - from)});
	return (size_t)(at - text.data);
}

/* Four hexadecimal digits; -1: they are not there. */
static int32_t unit_at(struct text text, size_t at)
{
	int32_t unit = 0;

	if (text.size < at + 4)
		return -1;
	for (size_t i = at; i < at + 4; i++) {
		int digit = number_hex_digit(text.data[i]);

		if (digit < 0)
			return -1;
		unit = unit << 4 | digit;
	}
	return unit;
}

static void add_point(struct buffer *b, int32_t point)
{
	static const unsigned char marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
	int size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
	char bytes[4];

	for (int i = size - 1; i > 0; i--) {
		bytes[i] = (char)(0x80 | (point & 0x3f));
		point >>= 6;
	}
	bytes[0] = (char)(marks[size] | point);
	buffer_add(b, bytes, (size_t)size);
}

/* The low surrogate \uXXXX that stands there; 0: none does. */
static int32_t low_surrogate_at(struct text text, size_t at)
{
	if (text.size < at + 2 || memcmp(text.data + at, "\\u", 2) != 0)
		return 0;
	int32_t unit = unit_at(text, at + 2);
	return unit >= 0xdc00 && unit <= 0xdfff ? unit : 0;
}

/* Behind \u. */
static enum json_fault take_unit(struct json_reader *r, struct buffer *string)
{
	int32_t unit = unit_at(r->rest, 0), low = 0;

	if (unit < 0)
		return JSON_SYNTAX;
	if (unit == 0)
		return JSON_NUL;
	if (unit >= 0xd800 && unit <= 0xdbff)
		low = low_surrogate_at(r->rest, 4);
	skip(r, low != 0 ? 10 : 4);
	if (low != 0)
		unit = 0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff);
	else if (unit >= 0xd800 && unit <= 0xdfff)
		unit = 0xfffd;
	add_point(string, unit);
	return JSON_FINE;
}

size_t json_escape_size(struct text text, bool *is_unpaired_surrogate)
{
	int32_t unit = text.data[1] == 'u' ? unit_at(text, 2) : -1;
	bool has_low = unit >= 0xd800 && unit <= 0xdbff &&
	               low_surrogate_at(text, 6) != 0;

	*is_unpaired_surrogate = unit >= 0xd800 && unit <= 0xdfff && !has_low;
	return unit < 0 ? 2 : has_low ? 12 : 6;
}

/* 0: it is no escape's. */
static char escaped(int c)
{
	switch (c) {
	case '"':
	case '\\':
	case '/':
		return (char)c;
	case 'b':
		return '\b';
	case 'f':
		return '\f';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	default:
		return 0;
	}
}

/* Behind the \. */
static enum json_fault take_escape(struct json_reader *r, struct buffer *string)
{
	char meant = escaped(peek(r));

	if (meant == 0)
		return take_byte(r, 'u') ? take_unit(r, string) : JSON_SYNTAX;
	buffer_add(string, &meant, 1);
	skip(r, 1);
	return JSON_FINE;
}

/* Behind the opening quote, up to the closing one. */
static enum json_fault take_characters(struct json_reader *r,
                                       struct buffer *string)
{
	enum json_fault fault = JSON_FINE;

	while (fault == JSON_FINE && !take_byte(r, '"')) {
		if (take_byte(r, '\\')) {
			fault = take_escape(r, string);
			continue;
		}
		size_t literal = literal_length(r->rest);
		buffer_add(string, r->rest.data, literal);
		skip(r, literal);
		if (literal == 0)
			fault = peek(r) >= 0x80 ? JSON_NOT_UTF8 : JSON_SYNTAX;
	}
	return fault;
}

static enum json_token take_string(struct json_reader *r, struct buffer *string,
                                   enum json_token token)
{
	if (!take_byte(r, '"'))
		return report_fault(r, JSON_SYNTAX);
	buffer_clear(string);
	enum json_fault fault = take_characters(r, string);
	return fault == JSON_FINE ? token : report_fault(r, fault);
}

static enum json_token take_member_name(struct json_reader *r, struct buffer *string)
{
	if (take_string(r, string, JSON_NAME) == JSON_FAULT)
		return JSON_FAULT;
	if (r->names != NULL && !json_names_add(r->names, buffer_text(string)))
		return report_fault(r, JSON_TWICE);
	skip_white(r);
	if (!take_byte(r, ':'))
		return report_fault(r, JSON_SYNTAX);
	r->expected = EXPECT_VALUE;
	return JSON_NAME;
}

static bool is_in_object(const struct json_reader *r)
{
	return (r->objects >> (r->depth - 1) & 1) != 0;
}

static enum json_token begin_nested(struct json_reader *r, bool is_object)
{
	if (r->depth == JSON_DEPTH_MAX)
		return report_fault(r, JSON_TOO_DEEP);
	skip(r, 1);
	r->objects &= ~(UINT32_C(1) << r->depth);
	r->objects |= (uint32_t)is_object << r->depth;
	r->depth++;
	if (is_object && r->names != NULL)
		json_names_open(r->names);
	r->expected = is_object ? EXPECT_FIRST_NAME : EXPECT_FIRST_ITEM;
	return is_object ? JSON_OBJECT_BEGIN : JSON_ARRAY_BEGIN;
}

/* Something is open. */
static enum json_token end_nested(struct json_reader *r)
{
	bool is_object = is_in_object(r);

	if (!take_byte(r, is_object ? '}' : ']'))
		return report_fault(r, JSON_SYNTAX);
	r->depth--;
	if (is_object && r->names != NULL)
		json_names_close(r->names);
	r->expected = EXPECT_MORE;
	return is_object ? JSON_OBJECT_END : JSON_ARRAY_END;
}

static enum json_token take_any_value(struct json_reader *r, struct buffer *string)
{
	r->expected = EXPECT_MORE;
	switch (peek(r)) {
	case '{':
		return begin_nested(r, true);
	case '[':
		return begin_nested(r, false);
	case '"':
		return take_string(r, string, JSON_STRING);
	case 't':
		return take_word(r, "true", JSON_TRUE);
	case 'f':
		return take_word(r, "false", JSON_FALSE);
	case 'n':
		return take_word(r, "null", JSON_NULL);
	default:
		return take_number_token(r);
	}
}

/* Behind a value. */
static enum json_token take_more(struct json_reader *r, struct buffer *string)
{
	if (r->depth == 0)
		return peek(r) < 0 ? JSON_END : report_fault(r, JSON_SYNTAX);
	if (!take_byte(r, ','))
		return end_nested(r);
	skip_white(r);
	return is_in_object(r) ? take_member_name(r, string)
	                       : take_any_value(r, string);
}

enum json_token json_next(struct json_reader *r, struct buffer *string)
{
	if (r->fault != JSON_FINE)
		return JSON_FAULT;
	skip_white(r);
	switch ((enum expected)r->expected) {
	case EXPECT_FIRST_ITEM:
		return peek(r) == ']' ? end_nested(r) : take_any_value(r, string);
	case EXPECT_FIRST_NAME:
		return peek(r) == '}' ? end_nested(r) : take_member_name(r, string);
	case EXPECT_MORE:
		return take_more(r, string);
	case EXPECT_VALUE:
		break;
	}
	return take_any_value(r, string);
}
