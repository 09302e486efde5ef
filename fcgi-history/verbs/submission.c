#include "verbs/submission.h"

#include "base/number.h"
#include "base/utf8.h"
#include "codec/message_data.h"
#include "codec/params.h"
#include "verbs/media_type.h"

static const struct problem fine = {PROBLEM_NONE, NULL};

static struct problem problem(enum problem_type type, const char *detail)
{
	return (struct problem){type, detail};
}

struct problem submission_check_type(struct text content_type)
{
	if (media_type_read(content_type) != MEDIA_OTHER)
		return fine;
	return problem(PROBLEM_UNSUPPORTED_MEDIA_TYPE,
	               "send application/json, application/x-www-form-urlencoded "
	               "or text/plain, in UTF-8");
}

static const char *const field_names[SUBMISSION_FIELDS] = {
	[SUBMISSION_CONTENT] = "content",
	[SUBMISSION_CLIENT_ID] = "client_id",
	[SUBMISSION_USER_ID] = "user_id",
	[SUBMISSION_USERNAME] = "username",
	[SUBMISSION_SENDER_TYPE] = "sender_type",
	[SUBMISSION_TYPE] = "type",
	[SUBMISSION_REPLY_TO] = "reply_to",
	[SUBMISSION_STORE] = "store",
	[SUBMISSION_DATA] = "data",
};

/* SUBMISSION_FIELDS if there is no such field. */
static enum submission_field find_field(struct text name)
{
	enum submission_field field = 0;

	while (field < SUBMISSION_FIELDS && !text_is(name, field_names[field]))
		field++;
	return field;
}

enum { SHOWN_BYTES = 64 }; /* of what a client has sent, in a detail */

static struct problem problem_about(struct submission *submission,
                                    enum problem_type type)
{
	buffer_add(&submission->detail, "", 1);
	return problem(type, submission->detail.data);
}

static struct text shown_part(struct text name)
{
	struct text shown = {name.data, 0};

	while (shown.size < name.size) {
		size_t length = utf8_length(name.data + shown.size,
		                            name.size - shown.size);

		if (length == 0 || shown.size + length > SHOWN_BYTES)
			break;
		shown.size += length;
	}
	return shown;
}

static struct problem not_known(struct text name, struct submission *submission)
{
	struct text shown = shown_part(name);

	buffer_printf(&submission->detail,
	              "'%.*s' is unknown: use content, type, data, reply_to, store, "
	              "client_id, user_id, username and sender_type",
	              TEXT_ARGS(shown));
	return problem_about(submission, PROBLEM_BAD_PARAMETER);
}

static struct problem wrong_field(enum submission_field field, const char *why,
                                  struct submission *submission)
{
	buffer_printf(&submission->detail, "%s %s", field_names[field], why);
	return problem_about(submission, PROBLEM_BAD_PARAMETER);
}

static struct problem wrong_at(struct text body, const char *at,
                               enum problem_type type, const char *what,
                               struct submission *submission)
{
	size_t offset = (size_t)(at - body.data);

	buffer_add_string(&submission->detail, what);
	if (offset < body.size)
		buffer_printf(&submission->detail,
		              ": see byte %zu, counted from 0", offset);
	else
		buffer_add_string(&submission->detail, ": it ends early");
	return problem_about(submission, type);
}

/* ---- What a message carries beside its content ---- */

static const char not_whole[] = "must be an integer from 1 to 9223372036854775807";
static const char not_boolean[] = "must be true or false";
static const char not_object[] = "must be a JSON object";

static struct problem check_message_type(struct submission *submission)
{
	struct buffer *type = &submission->fields[SUBMISSION_TYPE];

	if (!message_is_type(buffer_text(type)))
		return wrong_field(SUBMISSION_TYPE,
		                   "must have 1 to 64 of a-z 0-9 _ . - and begin with "
		                   "a letter", submission);
	if (message_is_own_type(buffer_text(type)))
		return wrong_field(SUBMISSION_TYPE,
		                   "must not be message_edited, message_deleted or "
		                   "presence: Longroom sends these", submission);
	if (text_is(buffer_text(type), "chat_message"))
		buffer_clear(type);
	return fine;
}

/* Checks a field that was just given, and sets what it says. */
static struct problem check_carried(enum submission_field field,
                                    struct submission *submission)
{
	struct text value = buffer_text(&submission->fields[field]);

	if (field == SUBMISSION_TYPE)
		return check_message_type(submission);
	if (field == SUBMISSION_REPLY_TO &&
	    !number_parse(value, 1, INT64_MAX, &submission->reply_to))
		return wrong_field(field, not_whole, submission);
	if (field == SUBMISSION_STORE) {
		submission->is_signal = text_is(value, "false");
		if (!submission->is_signal && !text_is(value, "true"))
			return wrong_field(field, not_boolean, submission);
	}
	return fine;
}

/* If a member is given twice, it has this name. */
static struct problem wrong_data(enum message_data_fault fault, struct text name,
                                 struct submission *submission)
{
	struct text shown = shown_part(name);

	switch (fault) {
	case MESSAGE_DATA_FINE:
		break;
	case MESSAGE_DATA_NOT_JSON:
	case MESSAGE_DATA_NOT_OBJECT:
		return wrong_field(SUBMISSION_DATA, not_object, submission);
	case MESSAGE_DATA_TOO_LONG:
		return problem(PROBLEM_CONTENT_TOO_LARGE,
		               "data is longer than limits.data");
	case MESSAGE_DATA_TOO_DEEP:
		return problem(PROBLEM_BAD_PARAMETER,
		               "data is nested more than 30 deep");
	case MESSAGE_DATA_NUL:
		return problem(PROBLEM_BAD_PARAMETER,
		               "data contains U+0000, which is not allowed");
	case MESSAGE_DATA_TWICE:
		buffer_printf(&submission->detail, "data has the member '%.*s' twice",
		              TEXT_ARGS(shown));
		return problem_about(submission, PROBLEM_BAD_PARAMETER);
	}
	return fine;
}

/* ---- JSON ---- */

static struct problem take_data(struct json_reader *reader, size_t limit,
                                struct submission *submission)
{
	struct buffer *data = &submission->fields[SUBMISSION_DATA];
	struct buffer name = {0};
	struct problem wrong = fine;

	buffer_clear(data);
	enum message_data_fault fault = message_data_read(reader, limit, data, &name);
	submission->given[SUBMISSION_DATA] = fault == MESSAGE_DATA_FINE;
	/* The reader keeps a fault of its own. */
	if (fault != MESSAGE_DATA_NOT_JSON)
		wrong = wrong_data(fault, buffer_text(&name), submission);
	buffer_release(&name);
	return wrong;
}

/* Keeps a token as a form would have it. False: the field has no such values. */
static bool keep_token(const struct json_reader *reader, enum json_token token,
                       enum submission_field field, struct buffer *value)
{
	bool is_boolean = token == JSON_TRUE || token == JSON_FALSE;

	if (field < SUBMISSION_REPLY_TO)
		return token == JSON_STRING;
	buffer_clear(value);
	if (field == SUBMISSION_REPLY_TO && token == JSON_NUMBER)
		buffer_add_text(value, reader->number);
	if (field == SUBMISSION_STORE && is_boolean)
		buffer_add_string(value, token == JSON_TRUE ? "true" : "false");
	return value->size > 0;
}

static const char *kind_of_values(enum submission_field field)
{
	return field == SUBMISSION_REPLY_TO ? not_whole
	       : field == SUBMISSION_STORE  ? not_boolean
	                                    : "must be a string";
}

/* Reads the value of a member whose name was read. */
static struct problem take_value(struct json_reader *reader,
                                 enum submission_field field, size_t data_limit,
                                 struct submission *submission)
{
	struct buffer *value = &submission->fields[field];

	if (field == SUBMISSION_DATA)
		return take_data(reader, data_limit, submission);
	enum json_token token = json_next(reader, value);
	if (token == JSON_FAULT)
		return fine; /* the reader keeps it */
	if (!keep_token(reader, token, field, value))
		return wrong_field(field, kind_of_values(field), submission);
	submission->given[field] = true;
	return check_carried(field, submission);
}

/* Reads the next member, or the end of the object. */
static struct problem take_member(struct json_reader *reader,
                                  struct buffer *name, bool *ended,
                                  size_t data_limit,
                                  struct submission *submission)
{
	*ended = json_next(reader, name) != JSON_NAME;
	if (*ended)
		return fine;
	enum submission_field field = find_field(buffer_text(name));
	if (field == SUBMISSION_FIELDS)
		return not_known(buffer_text(name), submission);
	return take_value(reader, field, data_limit, submission);
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

static size_t white_size(struct text text)
{
	static const char white[] = {' ', '\t', '\r', '\n'};
	size_t size = 0;

	while (size < text.size && memchr(white, text.data[size], sizeof white) != NULL)
		size++;
	return size;
}

/* False: the text is no object. */
static bool read_object(struct json_reader *reader, size_t data_limit,
                        struct submission *submission, struct problem *wrong)
{
	struct buffer name = {0};
	bool ended = json_next(reader, &name) != JSON_OBJECT_BEGIN;
	bool is_object = !ended;

	while (!ended && wrong->type == PROBLEM_NONE)
		*wrong = take_member(reader, &name, &ended, data_limit, submission);
	if (is_object && wrong->type == PROBLEM_NONE)
		json_next(reader, &name); /* the end of the text, or a fault */
	buffer_release(&name);
	return is_object;
}

/* Stops at the first error: after an unknown member, or inside an array, anything
 * may follow, and a lot of it. */
static struct problem read_json(struct text body, size_t data_limit,
                                struct submission *submission)
{
	static const char not_json[] = "the body is not one JSON object";
	struct text text = without_mark(body);
	struct json_reader reader;
	struct problem wrong = fine;

	json_reader_init(&reader, text);
	if (!read_object(&reader, data_limit, submission, &wrong))
		return wrong_at(body, text.data + white_size(text),
		                PROBLEM_NOT_JSON, not_json, submission);
	if (wrong.type != PROBLEM_NONE)
		return wrong;
	switch (reader.fault) {
	case JSON_FINE:
		break;
	case JSON_NUL:
		return problem(PROBLEM_BAD_PARAMETER,
		               "the body contains U+0000, which is not allowed");
	case JSON_NOT_UTF8: /* reported before any other error */
	case JSON_TWICE:    /* a fault in data alone: else the last one counts */
	case JSON_TOO_DEEP:
	case JSON_SYNTAX:
		return wrong_at(body, reader.rest.data, PROBLEM_NOT_JSON,
		                not_json, submission);
	}
	return wrong;
}

/* ---- Forms ---- */

/* The data as it came becomes data as it is kept. */
static struct problem read_form_data(size_t limit, struct submission *submission)
{
	struct buffer *data = &submission->fields[SUBMISSION_DATA];
	struct buffer written = *data, name = {0};

	*data = (struct buffer){0};
	enum message_data_fault fault =
		message_data_read_text(buffer_text(&written), limit, data, &name);
	struct problem wrong = wrong_data(fault, buffer_text(&name), submission);
	buffer_release(&written);
	buffer_release(&name);
	return wrong;
}

static struct problem check_form_field(enum submission_field field, size_t data_limit,
                                       struct submission *submission)
{
	if (!utf8_valid(buffer_text(&submission->fields[field])))
		return problem(PROBLEM_NOT_UTF8, "a field is not UTF-8");
	return field == SUBMISSION_DATA ? read_form_data(data_limit, submission)
	                                : check_carried(field, submission);
}

static struct problem take_pair(const struct param *param, size_t data_limit,
                                struct submission *submission)
{
	struct buffer name = {0};
	struct problem wrong;
	bool good = percent_decode(param->name, true, &name);
	enum submission_field field = find_field(buffer_text(&name));

	if (good && field == SUBMISSION_FIELDS)
		wrong = not_known(buffer_text(&name), submission);
	else if (good && submission->given[field])
		wrong = wrong_field(field, "is given twice", submission);
	else if (!good || !percent_decode(param->value, true,
	                                  &submission->fields[field]))
		wrong = problem(PROBLEM_BAD_PARAMETER,
		                "invalid percent-encoding in the form: write %XX "
		                "with two hex digits");
	else
		wrong = check_form_field(field, data_limit, submission);
	if (wrong.type == PROBLEM_NONE)
		submission->given[field] = true;
	buffer_release(&name);
	return wrong;
}

static struct problem read_form(struct text body, size_t data_limit,
                                struct submission *submission)
{
	struct problem wrong = fine;
	struct text trimmed = utf8_trim(body);
	struct param param;

	/* By default curl -d sends the Content-Type of a form. */
	if (trimmed.size > 0 && trimmed.data[0] == '{')
		return problem(PROBLEM_BAD_PARAMETER,
		               "the form looks like JSON: send Content-Type: "
		               "application/json");
	while (wrong.type == PROBLEM_NONE && params_next(&body, &param))
		wrong = take_pair(&param, data_limit, submission);
	return wrong;
}

/* ---- Bodies ---- */

static const char *first_bad(struct text text)
{
	size_t length;

	while ((length = utf8_length(text.data, text.size)) > 0) {
		text.data += length;
		text.size -= length;
	}
	return text.data;
}

/* Checks that hold for every kind of body. */
static struct problem check_body(struct text body, struct submission *submission)
{
	if (!utf8_valid(body))
		return wrong_at(body, first_bad(body), PROBLEM_NOT_UTF8,
		                "the body is not UTF-8", submission);
	if (utf8_trim(body).size == 0)
		return problem(PROBLEM_EMPTY_CONTENT, "the request has no body");
	return fine;
}

/* The reader checks each byte, so a body that it accepts is UTF-8 and not empty. A
 * body that it refuses may be neither, and these two errors take precedence. */
static struct problem read_json_body(struct text body, size_t data_limit,
                                     struct submission *submission)
{
	if (body.size == 0)
		return check_body(body, submission);
	struct problem wrong = read_json(body, data_limit, submission);
	struct buffer detail = submission->detail;
	if (wrong.type == PROBLEM_NONE)
		return fine;
	submission->detail = (struct buffer){0};
	struct problem first = check_body(body, submission);
	if (first.type == PROBLEM_NONE) {
		submission->detail = detail;
		return wrong;
	}
	buffer_release(&detail);
	return first;
}

static struct problem read_body(const struct submission_source *source,
                                struct submission *submission)
{
	enum media media = media_type_read(source->content_type);

	if (media == MEDIA_JSON)
		return read_json_body(source->body, source->data_limit, submission);
	struct problem wrong = check_body(source->body, submission);
	if (wrong.type != PROBLEM_NONE)
		return wrong;
	if (media == MEDIA_FORM)
		return read_form(source->body, source->data_limit, submission);
	if (media == MEDIA_OTHER)
		return submission_check_type(source->content_type);
	buffer_add_text(&submission->fields[SUBMISSION_CONTENT], source->body);
	submission->given[SUBMISSION_CONTENT] = true;
	return fine;
}

static bool may_lack_content(const struct submission *submission)
{
	return submission->given[SUBMISSION_DATA] ||
	       submission->fields[SUBMISSION_TYPE].size > 0;
}

static struct problem check_content(struct submission *submission, size_t limit)
{
	struct buffer *content = &submission->fields[SUBMISSION_CONTENT];
	struct text trimmed = utf8_trim(buffer_text(content));

	if (utf8_is_blank(trimmed)) {
		buffer_reserve(content, 1); /* "", which is not the same as NULL */
		buffer_clear(content);
		if (may_lack_content(submission))
			return fine;
		return problem(PROBLEM_EMPTY_CONTENT,
		               "content is missing, or has no visible character");
	}
	if (trimmed.size > limit)
		return problem(PROBLEM_CONTENT_TOO_LARGE,
		               "the content is longer than limits.content");
	if (memchr(trimmed.data, '\0', trimmed.size) != NULL)
		return problem(PROBLEM_BAD_PARAMETER,
		               "the content contains U+0000, which is not allowed");
	memmove(content->data, trimmed.data, trimmed.size);
	content->size = trimmed.size;
	return fine;
}

static struct problem check_idempotency_key(struct text header,
                                            struct submission *submission)
{
	struct buffer *client_id = &submission->fields[SUBMISSION_CLIENT_ID];
	struct text key = header_without_quotes(header);

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
	               "client_id and Idempotency-Key differ: give one, or the same "
	               "value twice");
}

static struct problem check_names(struct submission *submission)
{
	struct buffer *fields = submission->fields;

	for (int field = SUBMISSION_CLIENT_ID; field <= SUBMISSION_SENDER_TYPE; field++)
		if (submission->given[field] &&
		    !message_is_name(buffer_text(&fields[field])))
			return wrong_field(field, "must have 1 to 128 bytes and "
			                   "no control characters", submission);
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
		wrong = check_content(submission, source->content_limit);
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
	buffer_release(&submission->detail);
	*submission = (struct submission){0};
}
