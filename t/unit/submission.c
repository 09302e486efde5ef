/* Tests of what a POST may contain (PROTOCOL section 4). */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "verbs/submission.h"

#define JSON "application/json"
#define FORM "application/x-www-form-urlencoded"
#define PLAIN "text/plain"
#define TEN "0123456789"
#define NAME_128                                                               \
	TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "01234567"

enum { CONTENT_LIMIT = 16384, DATA_LIMIT = 64 };

/* A request and its expected result. A field that is NULL is not given. */
struct row {
	const char *type, *body;
	enum problem_type problem;
	const char *fields[SUBMISSION_FIELDS];
};

static struct problem read_submission(const char *type, struct text body,
                                      const char *key,
                                      struct submission *submission)
{
	struct submission_source source = {
		.content_type = text_of(type),
		.idempotency_key = text_of(key[0] != '\0' ? key : NULL),
		.body = body,
		.content_limit = CONTENT_LIMIT,
		.data_limit = DATA_LIMIT,
	};

	*submission = (struct submission){0};
	return submission_read(&source, submission);
}

static void check_row(const struct row *row)
{
	struct submission submission;
	struct problem problem = read_submission(row->type, text_of(row->body),
	                                         "", &submission);

	expect(problem.type == row->problem, "%s: problem %d (%s)", row->body,
	       (int)problem.type,
	       problem.detail != NULL ? problem.detail : "none");
	for (int field = 0;
	     row->problem == PROBLEM_NONE && field < SUBMISSION_FIELDS; field++)
		if (row->fields[field] != NULL)
			assert_text(buffer_text(&submission.fields[field]),
			            row->fields[field]);
	expect(row->problem != PROBLEM_NONE ||
	               submission.given[SUBMISSION_CLIENT_ID] ==
	                       (row->fields[SUBMISSION_CLIENT_ID] != NULL),
	       "%s", row->body);
	submission_release(&submission);
}

static void check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check_row(&rows[i]);
}

static void json_is_read(void **state)
{
	static const struct row rows[] = {
		{JSON, "{\"content\":\"Hello\"}", PROBLEM_NONE,
	         {"Hello", NULL, "anonymous", "anonymous"}},
		{JSON,
	         "{\"content\":\"Hello\",\"client_id\":\"c\","
	         "\"user_id\":\"2\",\"username\":\"ann\"}",
	         PROBLEM_NONE,
	         {"Hello", "c", "2", "ann"}},
		{JSON, "{\"content\":\"a\",\"user_id\":\"2\"}", PROBLEM_NONE,
	         {"a", NULL, "2", "2"}},
		{JSON, "{\"content\":\"a\",\"username\":\"ann\"}", PROBLEM_NONE,
	         {"a", NULL, "anonymous", "ann"}},
		{JSON, " \t\r\n{ \"content\" : \"a\" } \r\n\t ", PROBLEM_NONE,
	         {"a", NULL, NULL, NULL}},
		{JSON, "{\"content\":\"\\u00e9\\n\\t\\\"\\\\\\/x\"}",
	         PROBLEM_NONE,
	         {"\xc3\xa9\n\t\"\\/x", NULL, NULL, NULL}},
		{JSON, "{\"content\":\"a\\ud836\\uDC00\\ud877\\udc08b\"}",
	         PROBLEM_NONE,
	         {"a\xf0\x9d\xa0\x80\xf0\xad\xb0\x88"
	          "b",
	          NULL, NULL, NULL}},
		{JSON, "{\"content\":\"\\\\ud836\\\\udc00\"}", PROBLEM_NONE,
	         {"\\ud836\\udc00", NULL, NULL, NULL}},
		{JSON, "{\"content\":\"\\ud83d\\ude00\"}", PROBLEM_NONE,
	         {"\xf0\x9f\x98\x80", NULL, NULL, NULL}},
		{JSON, "{\"\\u0063ontent\":\"a\"}", PROBLEM_NONE,
	         {"a", NULL, NULL, NULL}},
		{JSON, "{\"content\":\"a\",\"content\":\"b\"}", PROBLEM_NONE,
	         {"b", NULL, NULL, NULL}},
		{JSON, "{\"content\":\"a\x7f\"}", PROBLEM_NONE,
	         {"a\x7f", NULL, NULL, NULL}},
	};

	(void)state;
	check_rows(rows, LENGTH(rows));
}

static void unpaired_surrogates_are_replaced(void **state)
{
	static const struct row rows[] = {
		{JSON, "{\"content\":\"a\\ud800b\"}", PROBLEM_NONE,
	         {"a\xef\xbf\xbd"
	          "b",
	          NULL, NULL, NULL}},
		{JSON, "{\"content\":\"a\\udc00b\"}", PROBLEM_NONE,
	         {"a\xef\xbf\xbd"
	          "b",
	          NULL, NULL, NULL}},
		{JSON, "{\"content\":\"a\\ud800\"}", PROBLEM_NONE,
	         {"a\xef\xbf\xbd", NULL, NULL, NULL}},
	};

	(void)state;
	check_rows(rows, LENGTH(rows));
}

static void what_is_no_json_object_is_refused(void **state)
{
	static const char *const bodies[] = {
		"content",
		"\"content\"",
		"[]",
		"[{\"content\":\"a\"}]",
		"null",
		"17",
		"true",
		"{",
		"}",
		"{\"content\":\"a\"",
		"{\"content\":\"a",
		"{\"content\"}",
		"{\"content\":}",
		"{content:\"a\"}",
		"{'content':'a'}",
		"{\"content\":'a'}",
		"{\"content\":\"a\",}",
		"{,\"content\":\"a\"}",
		"{\"content\":\"a\"}{}",
		"{\"content\":\"a\"} x",
		"{\"content\":\"a\"}/**/",
		"/**/{\"content\":\"a\"}",
		"{\"content\":/**/\"a\"}",
		"{\"content\":\"\\x\"}",
		"{\"content\":\"\\u12\"}",
		"{\"content\":\"a\nb\"}",
		"{\"content\":\"a\tb\"}",
		"{\"content\":\"a\x01\"}",
		"{\"content\":\"a\\\n\"}",
		"{\"content\n\":\"a\"}",
		"\x0c{\"content\":\"a\"}",
		"{\"content\":tru}",
		"{\"content\":truex}",
		"{\"content\":\"a\" \"client_id\":\"b\"}",
		"{\"content\" \"a\"}",
		"{\"colour\"}",
		"{\"content\":\"\\ud800\\u12\"}",
		"{\"content\":.5}",
		"{\"content\":5.}",
		"{\"content\":-.0}",
		"{\"content\":05}",
		"{\"content\":-05e+3}",
		"{\"content\":1.e5}",
		"{\"content\":1e+}",
		"{\"content\":+1}",
		"{\"content\":1-1}",
		"{\"content\":-}",
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(bodies); i++)
		check_row(&(struct row){JSON, bodies[i], PROBLEM_NOT_JSON, {0}});
}

static void raw_nuls_in_json_are_refused(void **state)
{
	static const char within[] = "{\"content\":\"a\0b\"}";
	static const char behind[] = "{\"content\":\"a\"}\0";
	struct submission submission;

	(void)state;
	assert_int_equal(read_submission(JSON,
	                                 (struct text){within,
	                                               sizeof within - 1},
	                                 "", &submission)
	                         .type,
	                 PROBLEM_NOT_JSON);
	submission_release(&submission);
	assert_int_equal(read_submission(JSON,
	                                 (struct text){behind,
	                                               sizeof behind - 1},
	                                 "", &submission)
	                         .type,
	                 PROBLEM_NOT_JSON);
	submission_release(&submission);
}

static void members_that_are_unknown_or_no_strings_are_refused(void **state)
{
	static const char *const bodies[] = {
		"{\"content\":\"a\",\"x\":\"b\"}",
		"{\"content\":\"a\",\"Content\":\"b\"}",
		"{\"content\":\"a\",\"\":\"b\"}",
		"{\"content\":\"a\",\"room_id\":\"b\"}",
		"{\"content\":\"a\",\"id\":1}",
		"{\"content\\u0000x\":\"a\"}",
		"{\"content\":\"a\",\"user_id\\u0000\":\"2\"}",
		"{\"content\":1}",
		"{\"content\":0}",
		"{\"content\":-0}",
		"{\"content\":-1.50}",
		"{\"content\":1E05}",
		"{\"content\":0.0e-05}",
		"{\"content\":null}",
		"{\"content\":true}",
		"{\"content\":[\"a\"]}",
		"{\"content\":{\"a\":\"b\"}}",
		"{\"content\":\"a\",\"user_id\":2}",
		"{\"content\":\"a\",\"client_id\":null}",
		"{\"content\":\"a\",\"username\":[]}",
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(bodies); i++)
		check_row(&(struct row){
			JSON, bodies[i], PROBLEM_BAD_PARAMETER, {0}});
}

/* An object with arrays in it, this many levels in all. */
static enum problem_type read_nested(int levels)
{
	struct submission submission;
	struct buffer body = {0};

	buffer_add_string(&body, "{\"content\":");
	for (int i = 1; i < levels; i++)
		buffer_add_string(&body, "[");
	for (int i = 1; i < levels; i++)
		buffer_add_string(&body, "]");
	buffer_add_string(&body, "}");
	struct problem problem = read_submission(JSON, buffer_text(&body), "",
	                                         &submission);
	submission_release(&submission);
	buffer_release(&body);
	return problem.type;
}

static void nested_json_is_refused(void **state)
{
	(void)state;
	assert_int_equal(read_nested(2), PROBLEM_BAD_PARAMETER);
	assert_int_equal(read_nested(32), PROBLEM_BAD_PARAMETER);
	assert_int_equal(read_nested(33), PROBLEM_BAD_PARAMETER);
	assert_int_equal(read_nested(30000), PROBLEM_BAD_PARAMETER);
}

/* Nothing behind the first error is looked at: it would be answered with
 * another problem. */
static void json_is_refused_at_the_first_thing_that_can_not_be(void **state)
{
	static const char *const bodies[] = {
		"{\"colour\":",
		"{\"colour\":\"red",
		"{\"content\":\"a\",\"colour\":}",
		"{\"content\":[tru",
		"{\"content\":{\"a\":[",
		"{\"content\":1,",
		"{\"content\":1,\"content\":\"a\"}",
		"{\"content\":\"\\u0000",
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(bodies); i++)
		check_row(&(struct row){
			JSON, bodies[i], PROBLEM_BAD_PARAMETER, {0}});
}

static void forms_are_read(void **state)
{
	static const struct row rows[] = {
		{FORM, "content=Hello+world%21", PROBLEM_NONE,
	         {"Hello world!", NULL, "anonymous", "anonymous"}},
		{FORM, "username=ann&content=a&user_id=2&client_id=c",
	         PROBLEM_NONE,
	         {"a", "c", "2", "ann"}},
		{FORM, "c%6fntent=%c3%a9&&", PROBLEM_NONE,
	         {"\xc3\xa9", NULL, NULL, NULL}},
		{FORM, "content=a=b", PROBLEM_NONE, {"a=b", NULL, NULL, NULL}},
		{FORM, "content=\xc3\xa9", PROBLEM_NONE,
	         {"\xc3\xa9", NULL, NULL, NULL}},
		{FORM, "content=a&content=b", PROBLEM_BAD_PARAMETER, {0}},
		{FORM, "content=a&c%6fntent=b", PROBLEM_BAD_PARAMETER, {0}},
		{FORM, "content=a&user_id=&user_id=2", PROBLEM_BAD_PARAMETER,
	         {0}},
		{FORM, "content=a&x=b", PROBLEM_BAD_PARAMETER, {0}},
		{FORM, "content%00=a", PROBLEM_BAD_PARAMETER, {0}},
		{FORM, "content=a%", PROBLEM_BAD_PARAMETER, {0}},
		{FORM, "content=a%4", PROBLEM_BAD_PARAMETER, {0}},
		{FORM, "content=%zz", PROBLEM_BAD_PARAMETER, {0}},
		{FORM, "content%=a", PROBLEM_BAD_PARAMETER, {0}},
		{FORM, "content=a%00b", PROBLEM_BAD_PARAMETER, {0}},
		{FORM, "content=%ff", PROBLEM_NOT_UTF8, {0}},
		{FORM, "content=a&username=%c3", PROBLEM_NOT_UTF8, {0}},
		{FORM, "content", PROBLEM_EMPTY_CONTENT, {0}},
		{FORM, "content=", PROBLEM_EMPTY_CONTENT, {0}},
		{FORM, "content=+%20%0a", PROBLEM_EMPTY_CONTENT, {0}},
		{FORM, "user_id=2", PROBLEM_EMPTY_CONTENT, {0}},
		{FORM, "&", PROBLEM_EMPTY_CONTENT, {0}},
	};

	(void)state;
	check_rows(rows, LENGTH(rows));
}

static void text_is_the_content(void **state)
{
	static const struct row rows[] = {
		{PLAIN, "Hello world", PROBLEM_NONE,
	         {"Hello world", NULL, "anonymous", "anonymous"}},
		{PLAIN, "content=a+%41", PROBLEM_NONE,
	         {"content=a+%41", NULL, NULL, NULL}},
		{PLAIN, "{\"content\":\"a\"}", PROBLEM_NONE,
	         {"{\"content\":\"a\"}", NULL, NULL, NULL}},
		{PLAIN, "a\x01\x1b[0m\nb", PROBLEM_NONE,
	         {"a\x01\x1b[0m\nb", NULL, NULL, NULL}},
	};
	struct submission submission;

	(void)state;
	check_rows(rows, LENGTH(rows));
	assert_int_equal(read_submission(PLAIN, (struct text){"a\0b", 3}, "",
	                                 &submission)
	                         .type,
	                 PROBLEM_BAD_PARAMETER);
	submission_release(&submission);
}

static void content_is_trimmed(void **state)
{
	static const struct row rows[] = {
		{PLAIN, " \r\n\tHello  world \n", PROBLEM_NONE,
	         {"Hello  world", NULL, NULL, NULL}},
		{PLAIN, "\xef\xbb\xbf\xe2\x80\x83x\xc2\xa0", PROBLEM_NONE,
	         {"x", NULL, NULL, NULL}},
		{JSON, "{\"content\":\"\\u3000x\\u2028\"}", PROBLEM_NONE,
	         {"x", NULL, NULL, NULL}},
		{FORM, "content=+x+", PROBLEM_NONE, {"x", NULL, NULL, NULL}},
		{PLAIN, " \xe3\x80\x80 ", PROBLEM_EMPTY_CONTENT, {0}},
		{JSON, "{\"content\":\" \\n\"}", PROBLEM_EMPTY_CONTENT, {0}},
		{JSON, "{\"content\":\"\"}", PROBLEM_EMPTY_CONTENT, {0}},
		{JSON, "{}", PROBLEM_EMPTY_CONTENT, {0}},
		{PLAIN, "", PROBLEM_EMPTY_CONTENT, {0}},
		{JSON, "", PROBLEM_EMPTY_CONTENT, {0}},
		{JSON, " \n", PROBLEM_EMPTY_CONTENT, {0}},
		{FORM, "", PROBLEM_EMPTY_CONTENT, {0}},
	};

	(void)state;
	check_rows(rows, LENGTH(rows));
}

static enum problem_type read_long(size_t size, const char *around)
{
	struct submission submission;
	struct buffer body = {0};

	buffer_add_string(&body, around);
	for (size_t i = 0; i < size; i++)
		buffer_add_string(&body, "x");
	buffer_add_string(&body, around);
	struct problem problem = read_submission(PLAIN, buffer_text(&body), "",
	                                         &submission);
	submission_release(&submission);
	buffer_release(&body);
	return problem.type;
}

static void content_has_a_limit_after_trimming(void **state)
{
	(void)state;
	assert_int_equal(read_long(CONTENT_LIMIT, ""), PROBLEM_NONE);
	assert_int_equal(read_long(CONTENT_LIMIT, "   "), PROBLEM_NONE);
	assert_int_equal(read_long(CONTENT_LIMIT + 1, ""),
	                 PROBLEM_CONTENT_TOO_LARGE);
}

static void bodies_that_are_not_utf8_are_refused(void **state)
{
	static const struct row rows[] = {
		{PLAIN, "a\xff", PROBLEM_NOT_UTF8, {0}},
		{PLAIN, "\xc0\xaf", PROBLEM_NOT_UTF8, {0}},
		{PLAIN, "\xed\xa0\x80", PROBLEM_NOT_UTF8, {0}},
		{JSON, "{\"content\":\"\xff\"}", PROBLEM_NOT_UTF8, {0}},
		{JSON, "{\"content\":\"a\"}\xff", PROBLEM_NOT_UTF8, {0}},
		{JSON, "{\"content\":1,\"x\":\"\xff\"}", PROBLEM_NOT_UTF8, {0}},
		{JSON, "[\xff", PROBLEM_NOT_UTF8, {0}},
		{FORM, "content=\xff", PROBLEM_NOT_UTF8, {0}},
	};

	(void)state;
	check_rows(rows, LENGTH(rows));
}

static void names_have_limits(void **state)
{
	static const char *const fields[] = {"client_id", "user_id", "username"};
	static const struct {
		const char *value;
		bool good;
	} values[] = {
		{"a", true},          {NAME_128, true},
		{NAME_128 "x", false}, {"", false},
		{"a%0ab", false},     {"%00", false},
		{"a%7f", false},      {"%1f", false},
		{"%c3%a9 x", true},
	};

	(void)state;
	for (size_t f = 0; f < LENGTH(fields); f++)
		for (size_t v = 0; v < LENGTH(values); v++) {
			struct submission submission;
			struct buffer body = {0};

			buffer_printf(&body, "content=a&%s=%s", fields[f],
			              values[v].value);
			struct problem problem =
				read_submission(FORM, buffer_text(&body), "",
			                        &submission);
			expect(problem.type == (values[v].good
			                                ? PROBLEM_NONE
			                                : PROBLEM_BAD_PARAMETER),
			       "%.*s", TEXT_ARGS(buffer_text(&body)));
			submission_release(&submission);
			buffer_release(&body);
		}
}

static void media_types_are_told_apart(void **state)
{
	static const struct {
		const char *type;
		bool known;
	} rows[] = {
		{"application/json", true},
		{"Application/JSON", true},
		{"application/json; charset=utf-8", true},
		{"application/json;charset=UTF-8", true},
		{"application/json ; charset=\"utf-8\"", true},
		{"text/plain", true},
		{"text/plain; format=flowed; charset=utf-8", true},
		{"text/plain;", true},
		{"application/x-www-form-urlencoded; charset=utf-8", true},
		{"", false},
		{"application", false},
		{"application/jsonx", false},
		{"application/json-patch+json", false},
		{"text/html", false},
		{"text/plain; charset=iso-8859-1", false},
		{"application/json; charset=utf-16", false},
		{"application/json; charset=", false},
		{"application/json; CHARSET=latin1", false},
		{"multipart/form-data; boundary=x", false},
		{"application/octet-stream", false},
		{"text/plain, application/json", false},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		enum problem_type expected =
			rows[i].known ? PROBLEM_NONE
			              : PROBLEM_UNSUPPORTED_MEDIA_TYPE;

		expect(submission_check_type(text_of(rows[i].type)).type ==
		               expected,
		       "'%s'", rows[i].type);
		if (!rows[i].known)
			check_row(&(struct row){
				rows[i].type, "a", expected, {0}});
	}
	assert_int_equal(submission_check_type((struct text){NULL, 0}).type,
	                 PROBLEM_UNSUPPORTED_MEDIA_TYPE);
}

static void an_idempotency_key_is_a_client_id(void **state)
{
	static const struct {
		const char *body, *key;
		enum problem_type problem;
		const char *client_id; /* NULL: none */
	} rows[] = {
		{"{\"content\":\"a\"}", "", PROBLEM_NONE, NULL},
		{"{\"content\":\"a\"}", "k", PROBLEM_NONE, "k"},
		{"{\"content\":\"a\"}", "\"k\"", PROBLEM_NONE, "k"},
		{"{\"content\":\"a\"}", NAME_128, PROBLEM_NONE, NAME_128},
		{"{\"content\":\"a\",\"client_id\":\"k\"}", "k", PROBLEM_NONE,
	         "k"},
		{"{\"content\":\"a\",\"client_id\":\"k\"}", "\"k\"",
	         PROBLEM_NONE, "k"},
		{"{\"content\":\"a\",\"client_id\":\"k\"}", "l",
	         PROBLEM_BAD_PARAMETER, NULL},
		{"{\"content\":\"a\"}", "\"\"", PROBLEM_BAD_PARAMETER, NULL},
		{"{\"content\":\"a\"}", NAME_128 "x", PROBLEM_BAD_PARAMETER,
	         NULL},
		{"{\"content\":\"a\"}", "a\tb", PROBLEM_BAD_PARAMETER, NULL},
		{"{\"content\":\"a\"}", "\xff", PROBLEM_NOT_UTF8, NULL},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct submission submission;
		struct problem problem =
			read_submission(JSON, text_of(rows[i].body),
		                        rows[i].key, &submission);
		const struct buffer *found =
			&submission.fields[SUBMISSION_CLIENT_ID];

		expect(problem.type == rows[i].problem, "%s", rows[i].key);
		if (rows[i].client_id != NULL)
			assert_text(buffer_text(found), rows[i].client_id);
		else
			expect(problem.type != PROBLEM_NONE ||
			               !submission.given[SUBMISSION_CLIENT_ID],
			       "%s", rows[i].key);
		submission_release(&submission);
	}
}

/* ---- What a message carries ---- */

/* What is accepted, in the order of the fields, and how. */
struct carried_row {
	const char *kind, *body, *content, *type, *data;
	int64_t reply_to;
	bool is_signal;
};

static void check_carried_row(const struct carried_row *row)
{
	struct submission s;
	struct problem problem = read_submission(row->kind, text_of(row->body), "", &s);

	expect(problem.type == PROBLEM_NONE, "%s: problem %d (%s)", row->body,
	       (int)problem.type, problem.detail);
	assert_non_null(s.fields[SUBMISSION_CONTENT].data);
	expect(text_is(buffer_text(&s.fields[SUBMISSION_CONTENT]), row->content) &&
	               text_is(buffer_text(&s.fields[SUBMISSION_TYPE]), row->type) &&
	               text_is(buffer_text(&s.fields[SUBMISSION_DATA]), row->data) &&
	               s.reply_to == row->reply_to && s.is_signal == row->is_signal,
	       "%s: '%.*s', '%.*s', '%.*s', %d", row->body,
	       TEXT_ARGS(buffer_text(&s.fields[SUBMISSION_CONTENT])),
	       TEXT_ARGS(buffer_text(&s.fields[SUBMISSION_TYPE])),
	       TEXT_ARGS(buffer_text(&s.fields[SUBMISSION_DATA])), (int)s.is_signal);
	submission_release(&s);
}

static void a_message_carries_more_than_text(void **state)
{
	static const struct carried_row rows[] = {
		{JSON, "{\"content\":\"a\"}", "a", "", "", 0, false},
		{JSON, "{\"content\":\"a\",\"type\":\"chat_message\"}", "a", "", "",
	         0, false},
		{JSON, "{\"content\":\"a\",\"type\":\"x\",\"type\":\"chat_message\"}",
	         "a", "", "", 0, false},
		{JSON, "{\"type\":\"typing\",\"store\":false}", "", "typing", "", 0,
	         true},
		{JSON, "{\"type\":\"typing\",\"store\":false,\"store\":true}", "",
	         "typing", "", 0, false},
		{JSON, "{\"content\":\" \\u200b\",\"data\":{}}", "", "", "{}", 0,
	         false},
		{JSON, "{\"data\": { \"a\" : 1.50 } ,\"content\":\" b \"}", "b", "",
	         "{\"a\":1.50}", 0, false},
		{JSON, "{\"data\":{\"a\":1},\"data\":{\"b\":2}}", "", "",
	         "{\"b\":2}", 0, false},
		{JSON, "{\"content\":\"a\",\"reply_to\":9223372036854775807}", "a", "",
	         "", INT64_MAX, false},
		{JSON, "{\"reply_to\":7,\"reply_to\": 8 ,\"content\":\"a\"}", "a",
	         "", "", 8, false},
		{FORM, "content=a&type=chat_message&store=true", "a", "", "", 0, false},
		{FORM, "type=a-b.c_9&store=false&reply_to=1", "", "a-b.c_9", "", 1,
	         true},
		{FORM, "data=%20{%22a%22:+[1,+%222+3%22]}+", "", "",
	         "{\"a\":[1,\"2 3\"]}", 0, false},
		{FORM, "content=+&data={}&client_id=c", "", "", "{}", 0, false},
		{PLAIN, "{\"data\":{}}", "{\"data\":{}}", "", "", 0, false},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++)
		check_carried_row(&rows[i]);
}

static void what_can_not_be_carried_is_refused(void **state)
{
	static const struct {
		const char *kind, *body;
		enum problem_type problem;
		const char *detail;
	} rows[] = {
#define BAD PROBLEM_BAD_PARAMETER
		{JSON, "{\"type\":7}", BAD, "type must be a string"},
		{JSON, "{\"type\":\"\"}", BAD, "type must have 1 to 64"},
		{JSON, "{\"type\":\"Typing\"}", BAD, "type must have"},
		{JSON, "{\"type\":\"9\"}", BAD, "type must have"},
		{JSON, "{\"type\":\"presence\",\"type\":\"a\"}", BAD,
	         "type must not be"},
		{FORM, "type=message_edited", BAD, "type must not be"},
		{FORM, "type=message_deleted", BAD, "type must not be"},
		{FORM, "type=a+b", BAD, "type must have"},
		{FORM, "type=%ff", PROBLEM_NOT_UTF8, "a field is not UTF-8"},
		{JSON, "{\"type\":\"chat_message\"}", PROBLEM_EMPTY_CONTENT,
	         "content is missing"},
		{FORM, "reply_to=1", PROBLEM_EMPTY_CONTENT, "content is missing"},
		{FORM, "store=false", PROBLEM_EMPTY_CONTENT, "content is missing"},
		{FORM, "type=a&content=%00", BAD, "the content contains U+0000"},
		{JSON, "{\"reply_to\":0}", BAD, "reply_to must be an integer"},
		{JSON, "{\"reply_to\":-1}", BAD, "reply_to must be an integer"},
		{JSON, "{\"reply_to\":1.0}", BAD, "reply_to must be an integer"},
		{JSON, "{\"reply_to\":1e2}", BAD, "reply_to must be an integer"},
		{JSON, "{\"reply_to\":\"1\"}", BAD, "reply_to must be an integer"},
		{JSON, "{\"reply_to\":null}", BAD, "reply_to must be an integer"},
		{JSON, "{\"reply_to\":9223372036854775808}", BAD,
	         "reply_to must be an integer"},
		{JSON, "{\"reply_to\":0,\"reply_to\":1}", BAD,
	         "reply_to must be an integer"},
		{FORM, "reply_to=01", BAD, "reply_to must be an integer"},
		{FORM, "reply_to=", BAD, "reply_to must be an integer"},
		{FORM, "reply_to=1&reply_to=2", BAD, "reply_to is given twice"},
		{JSON, "{\"store\":\"no\"}", BAD, "store must be true or false"},
		{JSON, "{\"store\":0}", BAD, "store must be true or false"},
		{JSON, "{\"store\":\"false\"}", BAD, "store must be true or false"},
		{FORM, "store=FALSE", BAD, "store must be true or false"},
		{JSON, "{\"data\":[]}", BAD, "data must be a JSON object"},
		{JSON, "{\"data\":\"{}\"}", BAD, "data must be a JSON object"},
		{JSON, "{\"data\":null}", BAD, "data must be a JSON object"},
		{FORM, "data=", BAD, "data must be a JSON object"},
		{FORM, "data={}{}", BAD, "data must be a JSON object"},
		{FORM, "data={'a':1}", BAD, "data must be a JSON object"},
		{FORM, "data={%22%ff%22:1}", PROBLEM_NOT_UTF8, "a field is not UTF-8"},
		{JSON, "{\"data\":{\"a\":1,}}", PROBLEM_NOT_JSON, "see byte 15"},
		{JSON, "{\"data\":{\"\xff\":1}}", PROBLEM_NOT_UTF8, "see byte 10"},
		{JSON, "{\"data\":{\"a\":1,\"b\":2,\"\\u0061\":3}}", BAD,
	         "data has the member 'a' twice"},
		{JSON,
	         "{\"data\":{\"" TEN TEN TEN TEN "\":1,\"x" TEN TEN TEN TEN "\":1}}",
	         PROBLEM_CONTENT_TOO_LARGE, "data is longer than limits.data"},
		{FORM, "data={%22\xc3\xa9%22:1,%22\xc3\xa9%22:1}", BAD,
	         "data has the member '\xc3\xa9' twice"},
		{FORM, "data={%22a%22:%22\\u0000%22}", BAD, "data contains U+0000"},
		{JSON, "{\"data\":{\"\\u0000\":1}}", BAD, "data contains U+0000"},
		{FORM, "data={%22a%22:[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", BAD,
	         "data is nested more than 30 deep"},
		{JSON, "{\"data\":{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", BAD,
	         "data is nested more than 30 deep"},
		{JSON, "{\"colour\":1}", BAD,
	         "'colour' is unknown: use content, type, data, reply_to, store, "
	         "client_id, user_id, username and sender_type"},
#undef BAD
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct submission s;
		struct problem problem = read_submission(
			rows[i].kind, text_of(rows[i].body), "", &s);

		expect(problem.type == rows[i].problem && problem.detail != NULL &&
		               strstr(problem.detail, rows[i].detail) != NULL,
		       "%s: problem %d (%s)", rows[i].body, (int)problem.type,
		       problem.detail);
		submission_release(&s);
	}
}

/* A form has it percent-encoded, and white space does not count. */
static void data_has_its_limit_in_every_body(void **state)
{
	static const struct {
		const char *kind, *before, *after;
	} bodies[] = {
		{JSON, "{\"data\": {\"a\" :\"", "\"\n\n}}"},
		{FORM, "data=+{+%22a%22++:%22", "%22+}"},
	};

	(void)state;
	for (size_t i = 0; i < 2 * LENGTH(bodies); i++) {
		bool is_too_long = i % 2 > 0;
		size_t size = DATA_LIMIT - strlen("{\"a\":\"\"}") + is_too_long;
		struct buffer body = {0};
		struct submission s;

		buffer_add_string(&body, bodies[i / 2].before);
		for (size_t n = 0; n < size; n++)
			buffer_add_string(&body, "x");
		buffer_add_string(&body, bodies[i / 2].after);
		struct problem problem = read_submission(
			bodies[i / 2].kind, buffer_text(&body), "", &s);
		assert_int_equal(problem.type,
		                 is_too_long ? PROBLEM_CONTENT_TOO_LARGE
		                             : PROBLEM_NONE);
		submission_release(&s);
		buffer_release(&body);
	}
}

int run_submission(void)
{
	static const struct CMUnitTest tests[] = {
		TEST("a JSON object is read, and missing members get their "
	             "defaults",
	             json_is_read),
		TEST("an unpaired surrogate escape becomes U+FFFD",
	             unpaired_surrogates_are_replaced),
		TEST("a body that is not one JSON object is refused",
	             what_is_no_json_object_is_refused),
		TEST("a NUL in JSON is refused", raw_nuls_in_json_are_refused),
		TEST("an unknown member, or one that is not a string, is "
	             "refused",
	             members_that_are_unknown_or_no_strings_are_refused),
		TEST("nested JSON is refused", nested_json_is_refused),
		TEST("JSON is refused at its first error",
	             json_is_refused_at_the_first_thing_that_can_not_be),
		TEST("a form is read, or refused if it is malformed",
	             forms_are_read),
		TEST("plain text is the content unchanged",
	             text_is_the_content),
		TEST("content is trimmed, and refused if nothing is left",
	             content_is_trimmed),
		TEST("the content's limit counts after trimming",
	             content_has_a_limit_after_trimming),
		TEST("a body that is not UTF-8 is refused",
	             bodies_that_are_not_utf8_are_refused),
		TEST("client_id, user_id and username have 1 to 128 bytes and "
	             "no control characters",
	             names_have_limits),
		TEST("three media types are accepted, in UTF-8 only",
	             media_types_are_told_apart),
		TEST("an Idempotency-Key is a client_id and must agree with it",
	             an_idempotency_key_is_a_client_id),
		TEST("type, data, reply_to and store are read from JSON and from forms",
	             a_message_carries_more_than_text),
		TEST("what a message can't carry is refused, and the detail says why",
	             what_can_not_be_carried_is_refused),
		TEST("the limit of data holds in JSON and in forms, without white "
	             "space",
	             data_has_its_limit_in_every_body),
	};

	return cmocka_run_group_tests_name("submission", tests, NULL, NULL);
}
