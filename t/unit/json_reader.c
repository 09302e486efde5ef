/* Tests of JSON, token by token (RFC 8259). */
#include "unit.h"

#include "codec/json_reader.h"

/* A text, and its tokens: a letter each; names and strings in angle brackets. */
struct row {
	const char *json, *tokens;
};

static const char letters[] = {
	[JSON_FAULT] = '!',        [JSON_END] = '.',
	[JSON_OBJECT_BEGIN] = '{', [JSON_OBJECT_END] = '}',
	[JSON_ARRAY_BEGIN] = '[',  [JSON_ARRAY_END] = ']',
	[JSON_NAME] = 'n',         [JSON_STRING] = 's',
	[JSON_NUMBER] = '#',       [JSON_TRUE] = 'T',
	[JSON_FALSE] = 'F',        [JSON_NULL] = 'N',
};

static void add_token(struct buffer *found, enum json_token token,
                      const struct json_reader *reader,
                      const struct buffer *string)
{
	buffer_add(found, &letters[token], 1);
	if (token == JSON_NAME || token == JSON_STRING)
		buffer_printf(found, "<%.*s>", TEXT_ARGS(buffer_text(string)));
	if (token == JSON_NUMBER)
		buffer_printf(found, "<%.*s>", TEXT_ARGS(reader->number));
}

static enum json_fault read_tokens(struct text json, struct buffer *found)
{
	struct json_reader reader;
	struct buffer string = {0};
	enum json_token token;

	json_reader_init(&reader, json);
	do {
		token = json_next(&reader, &string);
		add_token(found, token, &reader, &string);
	} while (token != JSON_END && token != JSON_FAULT);
	assert_int_equal(json_next(&reader, &string), token);
	buffer_release(&string);
	return reader.fault;
}

static void check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct buffer found = {0};

		read_tokens(text_of(rows[i].json), &found);
		assert_text(buffer_text(&found), rows[i].tokens);
		buffer_release(&found);
	}
}

static void texts_are_read(void **state)
{
	static const struct row rows[] = {
		{" {\t}\r\n", "{}."},
		{"[]", "[]."},
		{"[ [ ] , { } ]", "[[]{}]."},
		{"{\"a\":1,\"b\" : [true,false , null]}",
	         "{n<a>#<1>n<b>[TFN]}."},
		{"{\"a\":{\"a\":\"\"},\"a\":\"b\"}",
	         "{n<a>{n<a>s<>}n<a>s<b>}."},
		{"\"only\"", "s<only>."},
		{"[0,-0,10,1.5,0.05,-1.50,1e5,1E05,0.0e-05,1e+0]",
	         "[#<0>#<-0>#<10>#<1.5>#<0.05>#<-1.50>#<1e5>#<1E05>#<0.0e-05>"
	         "#<1e+0>]."},
	};

	(void)state;
	check_rows(rows, LENGTH(rows));
}

static void strings_are_decoded(void **state)
{
	static const struct row rows[] = {
		{"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "s<\"\\/\b\f\n\r\t>."},
		{"\"\\u0041\\u00e9\\u20AC\\ud83d\\uDE00\"",
	         "s<A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80>."},
		{"\"\\ud800\\ud83d\\ude00\\udc00x\"",
	         "s<\xef\xbf\xbd\xf0\x9f\x98\x80\xef\xbf\xbdx>."},
		{"\"0123456789abcdef\\n0123456\xc3\xa9\x7f\"",
	         "s<0123456789abcdef\n0123456\xc3\xa9\x7f>."},
	};

	(void)state;
	check_rows(rows, LENGTH(rows));
}

static void faults_are_found_where_they_are(void **state)
{
	static const struct row rows[] = {
		{"", "!"},
		{"[1,]", "[#<1>!"},
		{"[,1]", "[!"},
		{"[1 2]", "[#<1>!"},
		{"[1}", "[#<1>!"},
		{"{\"a\":1]", "{n<a>#<1>!"},
		{"{\"a\"}", "{!"},
		{"{\"a\":}", "{n<a>!"},
		{"{\"a\":1,}", "{n<a>#<1>!"},
		{"{1:1}", "{!"},
		{"{} {}", "{}!"},
		{"}", "!"},
		{"tru", "!"},
		{"[nulll]", "[!"},
		{"01", "!"},
		{"1\"", "!"},
		{"-", "!"},
		{"1.", "!"},
		{".5", "!"},
		{"1e", "!"},
		{"\"a", "!"},
		{"\"0123456\n89\"", "!"},
		{"\"0123456\x1f\"", "!"},
		{"\"\\x\"", "!"},
		{"\"\\u12g4\"", "!"},
		{"\"\\ud800\\u00\"", "!"},
	};

	(void)state;
	check_rows(rows, LENGTH(rows));
}

static void depth_and_nul_are_faults_of_their_own(void **state)
{
	struct buffer json = {0}, found = {0};
	static const char nul[] = "\"a\0b\"";

	(void)state;
	for (int i = 0; i < JSON_DEPTH_MAX; i++)
		buffer_add_string(&json, "[");
	buffer_add_string(&json, "1");
	for (int i = 0; i < JSON_DEPTH_MAX; i++)
		buffer_add_string(&json, "]");
	assert_int_equal(read_tokens(buffer_text(&json), &found), JSON_FINE);
	buffer_clear(&json);
	for (int i = 0; i <= JSON_DEPTH_MAX; i++)
		buffer_add_string(&json, "[");
	assert_int_equal(read_tokens(buffer_text(&json), &found), JSON_TOO_DEEP);
	assert_int_equal(read_tokens(text_of("\"a\\u0000\""), &found), JSON_NUL);
	assert_int_equal(read_tokens((struct text){nul, sizeof nul - 1}, &found),
	                 JSON_SYNTAX);
	buffer_release(&json);
	buffer_release(&found);
}

int run_json_reader(void)
{
	static const struct CMUnitTest tests[] = {
		TEST("a JSON text is read token by token", texts_are_read),
		TEST("strings are decoded", strings_are_decoded),
		TEST("a fault is found where it is, and not before",
	             faults_are_found_where_they_are),
		TEST("nesting and U+0000 are faults of their own",
	             depth_and_nul_are_faults_of_their_own),
	};

	return cmocka_run_group_tests_name("json reader", tests, NULL, NULL);
}
