/* Tests of JSON, token by token (RFC 8259). */
#include "unit.h"

#include "codec/json_value.h"

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
		{"\"\xc3\xa9\xe2\x82\xac""0123456789\xf0\x9f\x98\x80\"",
	         "s<\xc3\xa9\xe2\x82\xac""0123456789\xf0\x9f\x98\x80>."},
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
		{"\"\xc3\xa9\xc3\"", "!"},
		{"\"0123456\xff\"", "!"},
		{"\xc3\xa9", "!"},
	};

	(void)state;
	check_rows(rows, LENGTH(rows));
}

static void what_is_json_but_not_for_us_is_a_fault_of_its_own(void **state)
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
	assert_int_equal(read_tokens(text_of("\"a\xc3(\""), &found), JSON_NOT_UTF8);
	assert_int_equal(read_tokens(text_of("\xff"), &found), JSON_SYNTAX);
	buffer_release(&json);
	buffer_release(&found);
}

/* ---- Wanted members ---- */

enum { A, B, A_AGAIN, NONE, WANTED };

static const char *const wanted[WANTED] = {
	[A] = "a", [B] = "b", [A_AGAIN] = "a", [NONE] = "c"};

static void members_are_found_by_name(void **state)
{
	static const char json[] =
		" { \"x\": [{\"a\":1}], \"b\" : [ 1 , {\"a\":2} ] , "
		"\"\\u0061\":\"\\u00e9\" } ";
	struct json_value values[WANTED];
	struct buffer strings = {0};

	(void)state;
	assert_true(json_object_read(text_of(json), wanted, WANTED, values,
	                             &strings));
	assert_int_equal(values[A].kind, JSON_STRING);
	assert_string_equal(values[A].string, "\xc3\xa9");
	assert_text(values[A].written, "\"\\u00e9\"");
	assert_true(json_value_is(&values[A_AGAIN], "\xc3\xa9"));
	assert_int_equal(values[B].kind, JSON_ARRAY_BEGIN);
	assert_text(values[B].written, "[ 1 , {\"a\":2} ]");
	assert_null(values[B].string);
	assert_int_equal(values[NONE].kind, JSON_FAULT);
	/* Invalid JSON has no values. */
	assert_false(json_object_read(text_of("{\"a\":1,\"b\":2,\"b\":3}"),
	                              wanted, WANTED, values, &strings));
	assert_int_equal(values[A].kind, JSON_FAULT);
	buffer_release(&strings);
}

static void items_come_one_after_the_other(void **state)
{
	static const char json[] = " [ [1,2] ,\"a\", \"\",-1.50 ,{ } ] ";
	static const char *const written[] = {"[1,2]", "\"a\"", "\"\"", "-1.50",
	                                      "{ }"};
	struct buffer string = {0};
	struct json_reader reader;
	struct json_value item;
	size_t count = 0;

	(void)state;
	json_value_open(text_of(json), &reader);
	while (json_item_next(&reader, &item, &string)) {
		assert_true(count < LENGTH(written));
		assert_text(item.written, written[count]);
		assert_int_equal(json_value_is(&item, "a"), count == 1);
		assert_int_equal(json_value_is(&item, ""), count == 2);
		count++;
	}
	assert_int_equal(count, LENGTH(written));
	buffer_release(&string);
}

/* Also of names of one size, and in objects that are closed already. */
static void a_member_comes_once(void **state)
{
	struct buffer json = {0}, strings = {0};

	(void)state;
	for (int i = 0; i < 1000; i++)
		buffer_printf(&json, "%s\"%03d\":{\"a\":[{\"a\":1}]}",
	                      i > 0 ? "," : "{", i * 7 % 1000);
	size_t size = json.size;
	for (int i = 0; i <= 1000; i++) {
		json.size = size;
		buffer_printf(&json, ",\"%03d\":1}", i);
		assert_int_equal(json_object_read(buffer_text(&json), NULL, 0,
		                                  NULL, &strings), i == 1000);
	}
	buffer_release(&json);
	buffer_release(&strings);
}

static void a_number_has_a_whole_part(void **state)
{
	static const struct {
		const char *json;
		int64_t whole;
	} rows[] = {
		{"0", 0}, {"-0", 0}, {"17", 17}, {"-17", -17}, {"1.99", 1},
		{"-1.5", -1}, {"-0.5", 0}, {"25e-1", 2}, {"1.5e9", 1500000000},
		{"253402300799.9", INT64_C(253402300799)},
		{"9223372036854775807", INT64_MAX},
		{"9223372036854775808", INT64_MAX}, {"1e400", INT64_MAX},
		{"-9223372036854775808", INT64_MIN}, {"-1e400", INT64_MIN},
		{"1e-400", 0},
	};
	int64_t whole;

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		const struct json_value value = {.kind = JSON_NUMBER,
		                                 .written = text_of(rows[i].json)};

		assert_true(json_value_whole(&value, &whole));
		expect(whole == rows[i].whole, "%s", rows[i].json);
	}
	assert_false(json_value_whole(
		&(struct json_value){.kind = JSON_STRING,
	                             .written = text_of("\"1\"")}, &whole));
}

static void a_value_is_rendered_without_white_space(void **state)
{
	static const char json[] =
		"{ \"b\" : [ 1.50 , -0 , [ ] , { } , true , null ] ,\t"
		"\"a\" : { \"\\u0061\\/\" : \"\\u001f\" } }";
	const struct json_value value = {.kind = JSON_OBJECT_BEGIN,
	                                 .written = text_of(json)};
	struct buffer rendered = {0};

	(void)state;
	json_value_render(&value, &rendered);
	assert_text(buffer_text(&rendered),
	            "{\"b\":[1.50,-0,[],{},true,null],\"a\":{\"a/\":\"\\u001f\"}}");
	buffer_release(&rendered);
}

int run_json_reader(void)
{
	static const struct CMUnitTest tests[] = {
		TEST("a JSON text is read token by token", texts_are_read),
		TEST("strings are decoded", strings_are_decoded),
		TEST("an error is found where it is, and not before",
	             faults_are_found_where_they_are),
		TEST("too deep nesting, U+0000 and invalid UTF-8 are errors of "
	             "their own",
	             what_is_json_but_not_for_us_is_a_fault_of_its_own),
		TEST("members of an object are found by name",
	             members_are_found_by_name),
		TEST("items of an array come in order",
	             items_come_one_after_the_other),
		TEST("a repeated member is found among a thousand",
	             a_member_comes_once),
		TEST("a number has a whole part", a_number_has_a_whole_part),
		TEST("a value is rendered in its order, with its numbers "
	             "unchanged",
		     a_value_is_rendered_without_white_space),
	};

	return cmocka_run_group_tests_name("json reader", tests, NULL, NULL);
}
