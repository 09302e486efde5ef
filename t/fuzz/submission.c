/* Fuzzes fcgi-history/verbs/submission: the input is three parts, each but the
 * last ended by a newline: Content-Type, Idempotency-Key, body.
 *
 * An accepted submission is within PROTOCOL's limits, is the same in each of
 * the encodings and, if it was JSON, is what a strict reader finds there. Rendered as a
 * message it is JSON, with the data token for token. What is refused as not JSON is not
 * JSON, and data is refused for a reason. */
#include "verbs/submission.h"

#include "fuzz.h"
#include "rfc8259.h"

enum { CONTENT_LIMIT = 100, DATA_LIMIT = 80, DATA_DEPTH_MAX = 30 };

static const char *const names[SUBMISSION_FIELDS] = {
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

static struct text field(const struct submission *submission,
                         enum submission_field field)
{
	return buffer_text(&submission->fields[field]);
}

static void check_name(struct text name)
{
	CLAIM(name.size >= 1 && name.size <= 128);
	CLAIM(is_utf8(name));
	CLAIM(!has_control(name));
}

/* ---- Data ---- */

/* Of the last object that was read: the member "data". */
struct data_member {
	struct text written; /* data is NULL: there is none */
	int count;
};

static void find_data(void *context, struct text name, struct text value,
                      struct text written)
{
	struct data_member *found = context;

	(void)value;
	if (!text_is(name, "data"))
		return;
	found->written = written;
	found->count++;
}

/* Whether a value that is JSON may be data. If so, adds it as it is to be kept. */
static bool may_be_data(struct text written, struct buffer *kept)
{
	struct data_member unused = {0};
	struct rfc8259_found all;

	if (!rfc8259_read(written, find_data, &unused, &all) || all.has_twice ||
	    all.has_nul || all.nested > DATA_DEPTH_MAX)
		return false;
	rfc8259_compact(written, kept);
	return kept->size <= DATA_LIMIT;
}

static void check_data(struct text data)
{
	struct buffer kept = {0};

	CLAIM(is_utf8(data));
	CLAIM(may_be_data(data, &kept));
	CLAIM(text_equal(buffer_text(&kept), data));
	buffer_release(&kept);
}

static bool is_letter(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_message_type(struct text type)
{
	if (type.size < 1 || type.size > 64 || !is_letter(type.data[0]))
		return false;
	for (size_t i = 0; i < type.size; i++)
		if (!is_letter(type.data[i]) &&
		    !(type.data[i] >= '0' && type.data[i] <= '9') &&
		    type.data[i] != '_' && type.data[i] != '.' && type.data[i] != '-')
			return false;
	return !text_is(type, "presence") && !text_is(type, "message_edited") &&
	       !text_is(type, "message_deleted");
}

static void check_carried_limits(const struct submission *submission)
{
	struct text type = field(submission, SUBMISSION_TYPE);
	bool has_data = submission->given[SUBMISSION_DATA];

	CLAIM(type.size == 0 || is_message_type(type));
	CLAIM(!text_is(type, "chat_message"));
	CLAIM(submission->given[SUBMISSION_REPLY_TO] ? submission->reply_to > 0
	                                             : submission->reply_to == 0);
	CLAIM(submission->given[SUBMISSION_STORE] || !submission->is_signal);
	CLAIM(has_data == (field(submission, SUBMISSION_DATA).size > 0));
	if (has_data)
		check_data(field(submission, SUBMISSION_DATA));
	CLAIM(has_data || type.size > 0 ||
	      field(submission, SUBMISSION_CONTENT).size > 0);
}

static void check_limits(const struct submission *submission)
{
	struct text content = field(submission, SUBMISSION_CONTENT);

	check_carried_limits(submission);
	CLAIM(content.size <= CONTENT_LIMIT);
	if (content.size > 0) {
		CLAIM(is_utf8(content));
		CLAIM(!has_white_end(content));
		CLAIM(memchr(content.data, '\0', content.size) == NULL);
	}
	check_name(field(submission, SUBMISSION_USER_ID));
	check_name(field(submission, SUBMISSION_USERNAME));
	check_name(field(submission, SUBMISSION_SENDER_TYPE));
	if (submission->given[SUBMISSION_CLIENT_ID])
		check_name(field(submission, SUBMISSION_CLIENT_ID));
	else
		CLAIM(field(submission, SUBMISSION_CLIENT_ID).data == NULL);
	if (!submission->given[SUBMISSION_USER_ID])
		CLAIM(text_is(field(submission, SUBMISSION_USER_ID), "anonymous"));
	if (!submission->given[SUBMISSION_USERNAME])
		CLAIM(text_equal(field(submission, SUBMISSION_USERNAME),
		                 field(submission, SUBMISSION_USER_ID)));
}

/* An empty line means no header. */
static struct text header_or_none(struct text line)
{
	return line.size > 0 ? line : (struct text){NULL, 0};
}

static void check_key(struct text key, const struct submission *submission)
{
	struct text id = field(submission, SUBMISSION_CLIENT_ID);

	if (key.size == 0)
		return;
	CLAIM(submission->given[SUBMISSION_CLIENT_ID]);
	CLAIM(text_equal(key, id) ||
	      (key.size == id.size + 2 && key.data[0] == '"' &&
	       key.data[key.size - 1] == '"' &&
	       memcmp(key.data + 1, id.data, id.size) == 0));
}

/* Another body with the same. */
static void check_encoding(const char *content_type, const struct buffer *body,
                           const struct submission *submission, int fields)
{
	struct submission_source source = {
		.content_type = text_of(content_type),
		.body = buffer_text(body),
		.content_limit = CONTENT_LIMIT,
		.data_limit = DATA_LIMIT,
	};
	struct submission again = {0};

	CLAIM(submission_read(&source, &again).type == PROBLEM_NONE);
	for (int i = 0; i < fields; i++)
		CLAIM(text_equal(field(&again, i), field(submission, i)));
	CLAIM(fields == 1 || (again.reply_to == submission->reply_to &&
	                      again.is_signal == submission->is_signal));
	submission_release(&again);
}

static void add_json_field(struct buffer *b, int which, struct text value)
{
	buffer_add_string(b, b->size > 0 ? "," : "{");
	buffer_add_json(b, text_of(names[which]));
	buffer_add_string(b, ":");
	if (which == SUBMISSION_REPLY_TO || which == SUBMISSION_STORE ||
	    which == SUBMISSION_DATA)
		buffer_add_text(b, value);
	else
		buffer_add_json(b, value);
}

static void add_form_field(struct buffer *b, const char *name, struct text value)
{
	buffer_add_string(b, b->size > 0 ? "&" : "");
	buffer_add_string(b, name);
	buffer_add_string(b, "=");
	for (size_t i = 0; i < value.size; i++)
		buffer_printf(b, "%%%02X", (unsigned char)value.data[i]);
}

static void check_encodings(const struct submission *submission)
{
	struct buffer json = {0}, form = {0}, plain = {0};

	for (int i = 0; i < SUBMISSION_FIELDS; i++) {
		struct text value = field(submission, i);

		if (value.data == NULL ||
		    (i == SUBMISSION_TYPE && value.size == 0))
			continue;
		add_json_field(&json, i, value);
		add_form_field(&form, names[i], value);
	}
	buffer_add_string(&json, "}");
	buffer_add_text(&plain, field(submission, SUBMISSION_CONTENT));
	check_encoding("application/json", &json, submission, SUBMISSION_FIELDS);
	check_encoding("application/x-www-form-urlencoded", &form, submission,
	               SUBMISSION_FIELDS);
	if (plain.size > 0)
		check_encoding("text/plain;charset=UTF-8", &plain, submission, 1);
	buffer_release(&json);
	buffer_release(&form);
	buffer_release(&plain);
}

/* ---- The message ---- */

static void check_rendered(const struct submission *submission)
{
	struct message m = {
		.sender_id = field(submission, SUBMISSION_USER_ID),
		.sender_name = field(submission, SUBMISSION_USERNAME),
		.sender_type = field(submission, SUBMISSION_SENDER_TYPE),
		.type = field(submission, SUBMISSION_TYPE),
		.content = field(submission, SUBMISSION_CONTENT),
		.data = field(submission, SUBMISSION_DATA),
		.client_id = field(submission, SUBMISSION_CLIENT_ID),
		.reply_to = submission->reply_to,
		.is_signal = submission->is_signal,
	};
	struct data_member found = {0};
	struct buffer json = {0};
	struct rfc8259_found all;

	CLAIM(room_name_parse(text_of("room_26"), &m.room));
	message_render(&m, &json);
	CLAIM(rfc8259_read(buffer_text(&json), find_data, &found, &all));
	CLAIM(found.count == submission->given[SUBMISSION_DATA]);
	CLAIM(text_equal(found.written, m.data));
	json_object *object = json_must_parse(buffer_text(&json));
	CLAIM(text_equal(json_must_have(object, "type"),
	                 m.type.size > 0 ? m.type : text_of("chat_message")));
	json_object_put(object);
	buffer_release(&json);
}

/* ---- JSON, beside a strict reader ---- */

/* What the strict reader finds. */
struct found {
	/* A string's characters, or else what is written. */
	struct buffer fields[SUBMISSION_FIELDS];
	bool is_string[SUBMISSION_FIELDS], is_there[SUBMISSION_FIELDS];
	bool has_other;
	bool has_bad_data; /* in any of the members with this name */
};

static void note_data(struct found *found, struct text written)
{
	struct buffer kept = {0};

	if (!may_be_data(written, &kept))
		found->has_bad_data = true;
	buffer_release(&kept);
}

static void find(void *context, struct text name, struct text value,
                 struct text written)
{
	struct found *found = context;

	for (int i = 0; i < SUBMISSION_FIELDS; i++) {
		if (!text_is(name, names[i]))
			continue;
		/* The last one of a name counts. */
		buffer_clear(&found->fields[i]);
		buffer_add_text(&found->fields[i],
		                value.data != NULL ? value : written);
		found->is_string[i] = value.data != NULL;
		found->is_there[i] = true;
		if (i == SUBMISSION_DATA)
			note_data(found, written);
		return;
	}
	found->has_other = true;
}

static bool is_trimmed_from(struct text trimmed, struct text whole)
{
	if (trimmed.size == 0)
		return true; /* of white space, or of what is not visible */
	for (size_t at = 0; at + trimmed.size <= whole.size; at++)
		if (memcmp(whole.data + at, trimmed.data, trimmed.size) == 0)
			return true;
	return false;
}

static void compare_carried(const struct submission *submission,
                            const struct found *found)
{
	struct text type = buffer_text(&found->fields[SUBMISSION_TYPE]);
	struct text store = buffer_text(&found->fields[SUBMISSION_STORE]);
	struct buffer data = {0}, reply_to = {0};

	CLAIM(text_equal(field(submission, SUBMISSION_TYPE),
	                 text_is(type, "chat_message") ? text_of("") : type));
	CLAIM(submission->is_signal == text_is(store, "false"));
	CLAIM(store.size == 0 || submission->is_signal || text_is(store, "true"));
	if (submission->reply_to != 0)
		buffer_add_integer(&reply_to, submission->reply_to);
	CLAIM(text_equal(buffer_text(&reply_to),
	                 buffer_text(&found->fields[SUBMISSION_REPLY_TO])));
	CLAIM(!found->has_bad_data);
	if (found->is_there[SUBMISSION_DATA])
		rfc8259_compact(buffer_text(&found->fields[SUBMISSION_DATA]), &data);
	CLAIM(text_equal(buffer_text(&data), field(submission, SUBMISSION_DATA)));
	buffer_release(&data);
	buffer_release(&reply_to);
}

static void compare(const struct submission *submission,
                    const struct found *found)
{
	CLAIM(!found->has_other);
	for (int i = 0; i <= SUBMISSION_TYPE; i++)
		CLAIM(found->is_string[i] == found->is_there[i]);
	CLAIM(!found->is_string[SUBMISSION_REPLY_TO] &&
	      !found->is_string[SUBMISSION_STORE]);
	CLAIM(is_trimmed_from(field(submission, SUBMISSION_CONTENT),
	                      buffer_text(&found->fields[SUBMISSION_CONTENT])));
	for (int i = SUBMISSION_CLIENT_ID; i <= SUBMISSION_SENDER_TYPE; i++)
		if (found->is_string[i])
			CLAIM(text_equal(buffer_text(&found->fields[i]),
			                 field(submission, i)));
	compare_carried(submission, found);
}

/* RFC 8259 section 8.1 lets a reader ignore a byte order mark, and ours does. */
static struct text without_mark(struct text body)
{
	if (body.size < 3 || memcmp(body.data, "\xef\xbb\xbf", 3) != 0)
		return body;
	return (struct text){body.data + 3, body.size - 3};
}

static void check_json(struct text body, const struct submission *submission,
                       const struct problem *wrong)
{
	struct found found = {0};
	struct rfc8259_found all;
	bool good = rfc8259_read(without_mark(body), find, &found, &all);

	CLAIM(wrong->type != PROBLEM_NOT_JSON || !good);
	if (wrong->type == PROBLEM_NONE) {
		CLAIM(good);
		compare(submission, &found);
	} else if (good && strncmp(wrong->detail, "data ", 5) == 0) {
		CLAIM(found.has_bad_data);
	}
	for (int i = 0; i < SUBMISSION_FIELDS; i++)
		buffer_release(&found.fields[i]);
}

static void check_problem(const struct problem *problem)
{
	struct buffer json = {0};

	problem_render(problem, &json);
	json_object_put(json_must_parse(buffer_text(&json)));
	buffer_release(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text rest = input_text(data, size);
	struct submission submission = {0};
	struct submission_source source = {.content_limit = CONTENT_LIMIT,
	                                   .data_limit = DATA_LIMIT};

	source.content_type = without_nul(cut_line(&rest));
	source.idempotency_key = header_or_none(without_nul(cut_line(&rest)));
	source.body = rest;
	struct problem wrong = submission_read(&source, &submission);
	if (wrong.type == PROBLEM_NONE) {
		CLAIM(submission_check_type(source.content_type).type ==
		      PROBLEM_NONE);
		check_limits(&submission);
		check_key(source.idempotency_key, &submission);
		check_encodings(&submission);
		check_rendered(&submission);
	} else {
		check_problem(&wrong);
	}
	if (text_is(source.content_type, "application/json") && rest.size > 0 &&
	    is_utf8(rest))
		check_json(rest, &submission, &wrong);
	submission_release(&submission);
	return 0;
}
