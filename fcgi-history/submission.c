#include "submission.h"

#include <json.h>
#include <stdlib.h>
#include <strings.h>

#include "params.h"
#include "utf8.h"

enum { JSON_DEPTH_MAX = 32 };

static const struct problem fine = {PROBLEM_NONE, NULL};

static struct problem problem(enum problem_type type, const char *detail)
{
	return (struct problem){type, detail};
}

static bool equal_ignoring_case(struct text text, const char *string)
{
	return text.size == strlen(string) &&
	       strncasecmp(text.data, string, text.size) == 0;
}

/* Cuts at the next of a separator and takes white space off the part. */
static struct text cut(struct text *rest, char separator)
{
	if (rest->size == 0)
		return (struct text){NULL, 0};
	const char *end = memchr(rest->data, separator, rest->size);
	size_t size = end != NULL ? (size_t)(end - rest->data) : rest->size;
	struct text part = {rest->data, size};

	rest->data += size + (end != NULL);
	rest->size -= size + (end != NULL);
	while (part.size > 0 && strchr(" \t", part.data[0]) != NULL) {
		part.data++;
		part.size--;
	}
	while (part.size > 0 && strchr(" \t", part.data[part.size - 1]) != NULL)
		part.size--;
	return part;
}

static struct text without_quotes(struct text text)
{
	if (text.size >= 2 && text.data[0] == '"' &&
	    text.data[text.size - 1] == '"')
		return (struct text){text.data + 1, text.size - 2};
	return text;
}

enum media { MEDIA_JSON, MEDIA_FORM, MEDIA_TEXT, MEDIA_OTHER };

/* UTF-8, as it is registered and as it is often misspelled, and its part ASCII. */
static bool is_utf8_charset(struct text name)
{
	return equal_ignoring_case(name, "utf-8") ||
	       equal_ignoring_case(name, "utf8") ||
	       equal_ignoring_case(name, "us-ascii");
}

/* RFC 9110 section 8.3.1. */
static enum media read_media_type(struct text header)
{
	struct text type = cut(&header, ';');

	while (header.size > 0) {
		struct text value = cut(&header, ';');
		struct text name = cut(&value, '=');

		if (equal_ignoring_case(name, "charset") &&
		    !is_utf8_charset(without_quotes(value)))
			return MEDIA_OTHER;
	}
	if (equal_ignoring_case(type, "application/json"))
		return MEDIA_JSON;
	if (equal_ignoring_case(type, "application/x-www-form-urlencoded"))
		return MEDIA_FORM;
	if (equal_ignoring_case(type, "text/plain"))
		return MEDIA_TEXT;
	return MEDIA_OTHER;
}

struct problem submission_check_type(struct text content_type)
{
	if (read_media_type(content_type) != MEDIA_OTHER)
		return fine;
	return problem(PROBLEM_UNSUPPORTED_MEDIA_TYPE,
	               "send application/json, application/x-www-form-urlencoded "
	               "or text/plain, in UTF-8");
}

/* SUBMISSION_FIELDS if there is no such field. */
static enum submission_field find_field(struct text name)
{
	static const char *const names[SUBMISSION_FIELDS] = {
		[SUBMISSION_CONTENT] = "content",
		[SUBMISSION_CLIENT_ID] = "client_id",
		[SUBMISSION_USER_ID] = "user_id",
		[SUBMISSION_USERNAME] = "username",
		[SUBMISSION_SENDER_TYPE] = "sender_type",
	};
	enum submission_field field = 0;

	while (field < SUBMISSION_FIELDS && !text_is(name, names[field]))
		field++;
	return field;
}

static const char unknown_field[] =
	"known are content, client_id, user_id, username and sender_type";

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_one_of(const char *characters, char c)
{
	return c != '\0' && strchr(characters, c) != NULL;
}

static size_t skip_digits(struct text text, size_t *at)
{
	size_t start = *at;

	while (*at < text.size && is_digit(text.data[*at]))
		++*at;
	return *at - start;
}

static bool skip_one_of(const char *characters, struct text text, size_t *at)
{
	if (*at == text.size || !is_one_of(characters, text.data[*at]))
		return false;
	++*at;
	return true;
}

/* RFC 8259, section 6. */
static bool is_number(struct text text)
{
	size_t at = 0;

	skip_one_of("-", text, &at);
	bool has_zero = skip_one_of("0", text, &at);
	size_t digits = skip_digits(text, &at);
	if (has_zero ? digits > 0 : digits == 0)
		return false;
	if (skip_one_of(".", text, &at) && skip_digits(text, &at) == 0)
		return false;
	if (skip_one_of("eE", text, &at)) {
		skip_one_of("+-", text, &at);
		if (skip_digits(text, &at) == 0)
			return false;
	}
	return at == text.size;
}

/* All that could be meant as a number there; its size is 0 if none begins. */
static struct text number_at(struct text json, size_t at)
{
	size_t end = at;

	if (is_digit(json.data[at]) || is_one_of("-+.", json.data[at]))
		while (end < json.size &&
		       (is_digit(json.data[end]) ||
		        is_one_of("-+.eE", json.data[end])))
			end++;
	return (struct text){json.data + at, end - at};
}

static bool is_json_outside_string(char c)
{
	if ((unsigned char)c < 0x20)
		return c == '\t' || c == '\n' || c == '\r';
	return c < 'A' || c > 'Z';
}

/* What json-c lets pass, even when it is strict, and RFC 8259 does not: control
 * characters in strings, what follows a NUL, NaN and other words in capitals,
 * numbers as .5, 1., -.0 and -05e3. */
static bool passes_wrongly(struct text json)
{
	bool in_string = false;

	for (size_t i = 0; i < json.size; i++) {
		char c = json.data[i];
		struct text number = {NULL, 0};

		if (!in_string)
			number = number_at(json, i);
		if (in_string ? (unsigned char)c < 0x20
		              : !is_json_outside_string(c))
			return true;
		if (number.size > 0 && !is_number(number))
			return true;
		if (number.size > 0)
			i += number.size - 1;
		else if (c == '"')
			in_string = !in_string;
		else if (c == '\\' && in_string)
			i++;
	}
	return false;
}

/* json-c cuts a member's name there, and takes what is left for another. */
static bool has_escaped_nul(struct text json)
{
	static const char escape[] = "\\u0000";

	for (size_t i = 0; i + sizeof escape - 1 <= json.size; i++) {
		if (json.data[i] != '\\')
			continue;
		if (memcmp(json.data + i, escape, sizeof escape - 1) == 0)
			return true;
		i++;
	}
	return false;
}

enum { UNIT_SIZE = 6 };

/* Reads \uXXXX. */
static bool read_unit(struct text json, size_t at, uint32_t *unit)
{
	char hex[5] = "";

	if (json.size - at < UNIT_SIZE || memcmp(json.data + at, "\\u", 2) != 0)
		return false;
	memcpy(hex, json.data + at + 2, 4);
	*unit = (uint32_t)strtoul(hex, NULL, 16);
	return strspn(hex, "0123456789abcdefABCDEF") == 4;
}

/* Reads a high surrogate and a low one. */
static bool read_pair(struct text json, size_t at, uint32_t *point)
{
	uint32_t high, low;

	if (!read_unit(json, at, &high) ||
	    !read_unit(json, at + UNIT_SIZE, &low) ||
	    (high & 0xfc00) != 0xd800 || (low & 0xfc00) != 0xdc00)
		return false;
	*point = 0x10000 + ((high & 0x3ff) << 10) + (low & 0x3ff);
	return true;
}

/* From U+10000 on. */
static void add_point(struct buffer *b, uint32_t point)
{
	const char bytes[] = {(char)(0xf0 | point >> 18),
	                      (char)(0x80 | (point >> 12 & 0x3f)),
	                      (char)(0x80 | (point >> 6 & 0x3f)),
	                      (char)(0x80 | (point & 0x3f))};

	buffer_add(b, bytes, sizeof bytes);
}

/* json-c 0.16 takes an escaped character for half a pair, and replaces it, if
 * the last 16 bits of its code are those of one: all from U+2D800 to U+2DFFF,
 * for example. So pairs are decoded before it sees them. */
static void decode_pairs(struct text json, struct buffer *decoded)
{
	size_t copied = 0;
	uint32_t point;

	for (size_t i = 0; i < json.size; i++) {
		if (json.data[i] != '\\')
			continue;
		if (read_pair(json, i, &point)) {
			buffer_add(decoded, json.data + copied, i - copied);
			add_point(decoded, point);
			copied = i + (size_t)2 * UNIT_SIZE;
			i = copied - 1;
		} else {
			i++;
		}
	}
	buffer_add(decoded, json.data + copied, json.size - copied);
}

static json_object *parse_json(struct text body)
{
	json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX);

	if (tokener == NULL)
		return NULL;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	json_object *value =
		json_tokener_parse_ex(tokener, body.data, (int)body.size);
	bool whole = json_tokener_get_error(tokener) == json_tokener_success &&
	             json_tokener_get_parse_end(tokener) == body.size;
	json_tokener_free(tokener);
	if (whole)
		return value;
	json_object_put(value);
	return NULL;
}

static struct problem take_member(const char *name, json_object *value,
                                  struct submission *submission)
{
	enum submission_field field = find_field(text_of(name));

	if (field == SUBMISSION_FIELDS)
		return problem(PROBLEM_BAD_PARAMETER, unknown_field);
	if (!json_object_is_type(value, json_type_string))
		return problem(PROBLEM_BAD_PARAMETER,
		               "content, client_id, user_id, username and "
		               "sender_type are strings");
	submission->given[field] = true;
	buffer_add(&submission->fields[field], json_object_get_string(value),
	           (size_t)json_object_get_string_len(value));
	return fine;
}

static const struct problem not_json = {PROBLEM_NOT_JSON,
                                        "the body is not one JSON object"};

static struct problem read_json(struct text body, struct submission *submission)
{
	struct problem wrong = fine;
	struct buffer decoded = {0};

	if (passes_wrongly(body))
		return not_json;
	if (has_escaped_nul(body))
		return problem(PROBLEM_BAD_PARAMETER,
		               "the body has a character U+0000");
	while (body.size > 0 && strchr(" \t\r\n", body.data[body.size - 1]))
		body.size--;
	decode_pairs(body, &decoded);
	json_object *object = parse_json(buffer_text(&decoded));
	buffer_release(&decoded);
	if (!json_object_is_type(object, json_type_object)) {
		json_object_put(object);
		return not_json;
	}
	json_object_object_foreach(object, name, value)
	{
		wrong = take_member(name, value, submission);
		if (wrong.type != PROBLEM_NONE)
			break;
	}
	json_object_put(object);
	return wrong;
}

static struct problem take_pair(const struct param *param,
                                struct submission *submission)
{
	struct buffer name = {0};
	bool good = percent_decode(param->name, true, &name);
	enum submission_field field = find_field(buffer_text(&name));

	buffer_release(&name);
	if (good && field == SUBMISSION_FIELDS)
		return problem(PROBLEM_BAD_PARAMETER, unknown_field);
	if (good && submission->given[field])
		return problem(PROBLEM_BAD_PARAMETER, "a field is given twice");
	if (!good ||
	    !percent_decode(param->value, true, &submission->fields[field]))
		return problem(PROBLEM_BAD_PARAMETER, "bad percent-encoding");
	submission->given[field] = true;
	return fine;
}

static struct problem read_form(struct text body, struct submission *submission)
{
	struct param param;

	while (params_next(&body, &param)) {
		struct problem wrong = take_pair(&param, submission);

		if (wrong.type != PROBLEM_NONE)
			return wrong;
	}
	for (int field = 0; field < SUBMISSION_FIELDS; field++)
		if (!utf8_valid(buffer_text(&submission->fields[field])))
			return problem(PROBLEM_NOT_UTF8, "a field is not UTF-8");
	return fine;
}

/* RFC 8259 section 8.1 lets a reader ignore a byte order mark. */
static struct text without_mark(struct text body)
{
	static const char mark[] = "\xef\xbb\xbf";
	size_t size = sizeof mark - 1;

	if (body.size < size || memcmp(body.data, mark, size) != 0)
		return body;
	return (struct text){body.data + size, body.size - size};
}

static struct problem read_body(const struct submission_source *source,
                                struct submission *submission)
{
	if (!utf8_valid(source->body))
		return problem(PROBLEM_NOT_UTF8, "the body is not UTF-8");
	if (utf8_trim(source->body).size == 0)
		return problem(PROBLEM_EMPTY_CONTENT, "the request has no body");
	switch (read_media_type(source->content_type)) {
	case MEDIA_JSON:
		return read_json(without_mark(source->body), submission);
	case MEDIA_FORM:
		return read_form(source->body, submission);
	case MEDIA_TEXT:
		buffer_add_text(&submission->fields[SUBMISSION_CONTENT],
		                source->body);
		submission->given[SUBMISSION_CONTENT] = true;
		return fine;
	case MEDIA_OTHER:
		break;
	}
	return submission_check_type(source->content_type);
}

static struct problem check_content(struct buffer *content, size_t limit)
{
	struct text trimmed = utf8_trim(buffer_text(content));

	if (utf8_is_blank(trimmed))
		return problem(PROBLEM_EMPTY_CONTENT,
		               "there is no content, or nothing that can be seen");
	if (trimmed.size > limit)
		return problem(PROBLEM_CONTENT_TOO_LARGE,
		               "the content is longer than limits.content");
	if (memchr(trimmed.data, '\0', trimmed.size) != NULL)
		return problem(PROBLEM_BAD_PARAMETER,
		               "the content has a character U+0000");
	memmove(content->data, trimmed.data, trimmed.size);
	content->size = trimmed.size;
	return fine;
}

static struct problem check_idempotency_key(struct text header,
                                            struct submission *submission)
{
	struct buffer *client_id = &submission->fields[SUBMISSION_CLIENT_ID];
	struct text key = without_quotes(header);

	if (header.data == NULL)
		return fine;
	if (!utf8_valid(key))
		return problem(PROBLEM_NOT_UTF8, "Idempotency-Key is not UTF-8");
	if (!submission->given[SUBMISSION_CLIENT_ID])
		buffer_add_text(client_id, key);
	submission->given[SUBMISSION_CLIENT_ID] = true;
	if (text_equal(key, buffer_text(client_id)))
		return fine;
	return problem(PROBLEM_BAD_PARAMETER,
	               "client_id and Idempotency-Key differ");
}

static struct problem check_names(struct submission *submission)
{
	struct buffer *fields = submission->fields;

	for (int field = SUBMISSION_CLIENT_ID; field < SUBMISSION_FIELDS; field++)
		if (submission->given[field] &&
		    !message_is_name(buffer_text(&fields[field])))
			return problem(PROBLEM_BAD_PARAMETER,
			               "client_id, user_id, username and "
			               "sender_type have 1 to 128 bytes and no "
			               "control characters");
	if (!submission->given[SUBMISSION_USER_ID])
		buffer_add_string(&fields[SUBMISSION_USER_ID], "anonymous");
	if (!submission->given[SUBMISSION_USERNAME])
		buffer_add_text(&fields[SUBMISSION_USERNAME],
		                buffer_text(&fields[SUBMISSION_USER_ID]));
	if (!submission->given[SUBMISSION_SENDER_TYPE])
		buffer_add_string(&fields[SUBMISSION_SENDER_TYPE], "user");
	return fine;
}

struct problem submission_read(const struct submission_source *source,
                               struct submission *submission)
{
	struct problem wrong = read_body(source, submission);

	if (wrong.type == PROBLEM_NONE)
		wrong = check_content(&submission->fields[SUBMISSION_CONTENT],
		                      source->content_limit);
	if (wrong.type == PROBLEM_NONE)
		wrong = check_idempotency_key(source->idempotency_key, submission);
	if (wrong.type == PROBLEM_NONE)
		wrong = check_names(submission);
	return wrong;
}

void submission_release(struct submission *submission)
{
	for (int field = 0; field < SUBMISSION_FIELDS; field++)
		buffer_release(&submission->fields[field]);
	*submission = (struct submission){0};
}
