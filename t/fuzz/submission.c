/* Fuzzes fcgi-history/verbs/submission: the input is three parts, each but the
 * last ended by a newline: Content-Type, Idempotency-Key, body.
 *
 * An accepted submission is within PROTOCOL's limits, is the same in each of
 * the encodings and, if it was JSON, is what a strict reader finds there. What
 * is refused as not JSON is not JSON. */
#include "verbs/submission.h"

#include "fuzz.h"
#include "rfc8259.h"

enum { CONTENT_LIMIT = 100 };

static const char *const names[SUBMISSION_FIELDS] = {
	[SUBMISSION_CONTENT] = "content",
	[SUBMISSION_CLIENT_ID] = "client_id",
	[SUBMISSION_USER_ID] = "user_id",
	[SUBMISSION_USERNAME] = "username",
	[SUBMISSION_SENDER_TYPE] = "sender_type",
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

static void check_limits(const struct submission *submission)
{
	struct text content = field(submission, SUBMISSION_CONTENT);

	CLAIM(content.size >= 1 && content.size <= CONTENT_LIMIT);
	CLAIM(is_utf8(content));
	CLAIM(!has_white_end(content));
	CLAIM(memchr(content.data, '\0', content.size) == NULL);
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

/* Another body with the same content. */
static void check_encoding(const char *content_type, const struct buffer *body,
                           const struct submission *submission, int fields)
{
	struct submission_source source = {
		.content_type = text_of(content_type),
		.body = buffer_text(body),
		.content_limit = CONTENT_LIMIT,
	};
	struct submission again = {0};

	CLAIM(submission_read(&source, &again).type == PROBLEM_NONE);
	for (int i = 0; i < fields; i++)
		CLAIM(text_equal(field(&again, i), field(submission, i)));
	submission_release(&again);
}

static void add_json_field(struct buffer *b, const char *name, struct text value)
{
	buffer_add_string(b, b->size > 0 ? "," : "{");
	buffer_add_json(b, text_of(name));
	buffer_add_string(b, ":");
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

		if (value.data == NULL)
			continue;
		add_json_field(&json, names[i], value);
		add_form_field(&form, names[i], value);
	}
	buffer_add_string(&json, "}");
	buffer_add_text(&plain, field(submission, SUBMISSION_CONTENT));
	check_encoding("application/json", &json, submission, SUBMISSION_FIELDS);
	check_encoding("application/x-www-form-urlencoded", &form, submission,
	               SUBMISSION_FIELDS);
	check_encoding("text/plain;charset=UTF-8", &plain, submission, 1);
	buffer_release(&json);
	buffer_release(&form);
	buffer_release(&plain);
}

/* What the strict reader finds. */
struct found {
	struct buffer fields[SUBMISSION_FIELDS];
	bool is_string[SUBMISSION_FIELDS];
	bool has_other;
};

static void find(void *context, struct text name, struct text value)
{
	struct found *found = context;

	for (int i = 0; i < SUBMISSION_FIELDS; i++) {
		if (!text_is(name, names[i]))
			continue;
		/* The last one of a name counts. */
		buffer_clear(&found->fields[i]);
		buffer_add_text(&found->fields[i], value);
		found->is_string[i] = value.data != NULL;
		return;
	}
	found->has_other = true;
}

static bool is_trimmed_from(struct text trimmed, struct text whole)
{
	for (size_t at = 0; at + trimmed.size <= whole.size; at++)
		if (memcmp(whole.data + at, trimmed.data, trimmed.size) == 0)
			return true;
	return false;
}

static void compare(const struct submission *submission,
                    const struct found *found)
{
	CLAIM(!found->has_other);
	CLAIM(found->is_string[SUBMISSION_CONTENT]);
	CLAIM(is_trimmed_from(field(submission, SUBMISSION_CONTENT),
	                      buffer_text(&found->fields[SUBMISSION_CONTENT])));
	for (int i = SUBMISSION_CLIENT_ID; i < SUBMISSION_FIELDS; i++)
		if (found->is_string[i])
			CLAIM(text_equal(buffer_text(&found->fields[i]),
			                 field(submission, i)));
}

/* RFC 8259 section 8.1 lets a reader ignore a byte order mark, and ours does. */
static struct text without_mark(struct text body)
{
	if (body.size < 3 || memcmp(body.data, "\xef\xbb\xbf", 3) != 0)
		return body;
	return (struct text){body.data + 3, body.size - 3};
}

static void check_json(struct text body, const struct submission *submission,
                       enum problem_type wrong)
{
	struct found found = {0};
	int depth = 0;
	bool good = rfc8259_read(without_mark(body), find, &found, &depth);

	CLAIM(wrong != PROBLEM_NOT_JSON || !good);
	if (wrong == PROBLEM_NONE) {
		CLAIM(good && depth == 2);
		compare(submission, &found);
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
	struct submission_source source = {.content_limit = CONTENT_LIMIT};

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
	} else {
		check_problem(&wrong);
	}
	if (text_is(source.content_type, "application/json") && rest.size > 0 &&
	    is_utf8(rest))
		check_json(rest, &submission, wrong.type);
	submission_release(&submission);
	return 0;
}
