/* Tests of the data that a message carries. */
#include "unit.h"

#include "codec/message_data.h"

enum { LIMIT = 4096 };

static void check(struct text text, size_t limit, enum message_data_fault expected,
                  const char *data, const char *twice)
{
	struct buffer kept = {0}, name = {0};

	buffer_add_string(&kept, "before");
	enum message_data_fault fault =
		message_data_read_text(text, limit, &kept, &name);
	expect(fault == expected, "%.*s: fault %d", TEXT_ARGS(text), (int)fault);
	expect(kept.size == strlen("before") + strlen(data) &&
	               memcmp(kept.data + strlen("before"), data, strlen(data)) == 0,
	       "'%.*s' gives '%.*s'", TEXT_ARGS(text), TEXT_ARGS(buffer_text(&kept)));
	if (twice != NULL)
		assert_text(buffer_text(&name), twice);
	buffer_release(&kept);
	buffer_release(&name);
}

static void it_stays_as_it_was_written(void **state)
{
	static const char *const texts[] = {
		"{}",
		"{\"\":\"\"}",
		"{\"b\":1,\"a\":2,\"B\":3}",
		"{\"a\":[1,[],{},[{}],null,true,false,\"\"]}",
		"{\"a\":[1e400,-0,-0.0,1.50,1E+05,12345678901234567890]}",
		"{\"a\":\"\\u00e9\\n\\/\\\\\\\"\\u000a\xc3\xa9\x7f\"}",
		"{\"a\\u0020b\":\"\\ud83d\\ude00\\uD83D\\uDE00\"}",
		"{\"a\":\"\\\\ud800\",\"b\":\" , : { \"}",
		"{\"a\":{\"a\":{\"a\":1},\"b\":{\"a\":1}},\"b\":[{\"a\":1},{\"a\":2}]}",
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(texts); i++) {
		check(text_of(texts[i]), LIMIT, MESSAGE_DATA_FINE, texts[i], NULL);
		check(text_of(texts[i]), strlen(texts[i]), MESSAGE_DATA_FINE, texts[i],
		      NULL);
		check(text_of(texts[i]), strlen(texts[i]) - 1, MESSAGE_DATA_TOO_LONG,
		      "", NULL);
	}
}

static void white_space_between_tokens_goes(void **state)
{
	static const char written[] =
		" \r\n\t{ \"a b\" \n:\t [ 1 , -2\r,\"c , d\" ,{ } , [ ] ] , "
		"\"e\"  :  {\"f\" : null\n}\n} \n";
	static const char kept[] =
		"{\"a b\":[1,-2,\"c , d\",{},[]],\"e\":{\"f\":null}}";

	(void)state;
	check(text_of(written), sizeof kept - 1, MESSAGE_DATA_FINE, kept, NULL);
	check(text_of(written), sizeof kept - 2, MESSAGE_DATA_TOO_LONG, "", NULL);
}

static void escapes_of_unpaired_surrogates_are_replaced(void **state)
{
	static const struct {
		const char *written, *kept;
	} rows[] = {
		{"{\"a\":\"\\ud800\"}", "{\"a\":\"\\ufffd\"}"},
		{"{\"a\":\"\\uDC00x\"}", "{\"a\":\"\\ufffdx\"}"},
		{"{\"a\":\"\\ud800\\ud83d\\ude00\"}",
	         "{\"a\":\"\\ufffd\\ud83d\\ude00\"}"},
		{"{\"a\":\"\\ud83d\\ude00\\ude00\"}",
	         "{\"a\":\"\\ud83d\\ude00\\ufffd\"}"},
		{"{\"a\":\"\\ud83d\\n\\ude00\"}", "{\"a\":\"\\ufffd\\n\\ufffd\"}"},
		{"{\"\\udfff\":1}", "{\"\\ufffd\":1}"},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++)
		check(text_of(rows[i].written), strlen(rows[i].written),
		      MESSAGE_DATA_FINE, rows[i].kept, NULL);
}

static void a_member_twice_is_named(void **state)
{
	static const struct {
		const char *text, *name;
	} rows[] = {
		{"{\"a\":1,\"a\":1}", "a"},
		{"{\"a\":1,\"\\u0061\":2}", "a"},
		{"{\"\":1,\"b\":2,\"\":3}", ""},
		{"{\"a\":{\"b\":1,\"c\":[],\"b\":2}}", "b"},
		{"{\"a\":[{},{\"b\":1,\"b\":2}]}", "b"},
		{"{\"\\ud800\":1,\"\\udc00\":2}", "\xef\xbf\xbd"},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++)
		check(text_of(rows[i].text), LIMIT, MESSAGE_DATA_TWICE, "",
		      rows[i].name);
}

static void what_is_no_such_object_is_refused(void **state)
{
	static const struct {
		const char *text;
		enum message_data_fault fault;
	} rows[] = {
		{"", MESSAGE_DATA_NOT_JSON},
		{" ", MESSAGE_DATA_NOT_JSON},
		{"{", MESSAGE_DATA_NOT_JSON},
		{"{\"a\":1", MESSAGE_DATA_NOT_JSON},
		{"{\"a\":1}}", MESSAGE_DATA_NOT_JSON},
		{"{\"a\":1}{}", MESSAGE_DATA_NOT_JSON},
		{"{\"a\":01}", MESSAGE_DATA_NOT_JSON},
		{"{\"a\":1,}", MESSAGE_DATA_NOT_JSON},
		{"{,\"a\":1}", MESSAGE_DATA_NOT_JSON},
		{"{\"a\":\"\n\"}", MESSAGE_DATA_NOT_JSON},
		{"{\"a\":\"\xff\"}", MESSAGE_DATA_NOT_JSON},
		{"{a:1}", MESSAGE_DATA_NOT_JSON},
		{"\xef\xbb\xbf{}", MESSAGE_DATA_NOT_JSON},
		{"[]", MESSAGE_DATA_NOT_OBJECT},
		{"[[[", MESSAGE_DATA_NOT_OBJECT},
		{"null", MESSAGE_DATA_NOT_OBJECT},
		{"\"{}\"", MESSAGE_DATA_NOT_OBJECT},
		{"7", MESSAGE_DATA_NOT_OBJECT},
		{"{\"a\":\"\\u0000\"}", MESSAGE_DATA_NUL},
		{"{\"\\u0000\":1}", MESSAGE_DATA_NUL},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++)
		check(text_of(rows[i].text), LIMIT, rows[i].fault, "", NULL);
	check((struct text){"{\"a\":\"\0\"}", 9}, LIMIT, MESSAGE_DATA_NOT_JSON, "",
	      NULL);
}

/* Objects and arrays in each other, this many in all. */
static void make_nested(int levels, bool are_objects, struct buffer *b)
{
	buffer_add_string(b, "{\"a\":");
	for (int i = 1; i < levels; i++)
		buffer_add_string(b, are_objects ? "{\"a\":" : "[");
	buffer_add_string(b, "1");
	for (int i = 1; i < levels; i++)
		buffer_add_string(b, are_objects ? "}" : "]");
	buffer_add_string(b, "}");
}

static void nesting_has_a_limit(void **state)
{
	static const struct {
		int levels;
		enum message_data_fault fault;
	} rows[] = {
		{29, MESSAGE_DATA_FINE},
		{30, MESSAGE_DATA_FINE},
		{31, MESSAGE_DATA_TOO_DEEP},
		{33, MESSAGE_DATA_TOO_DEEP},
		{2000, MESSAGE_DATA_TOO_DEEP},
	};

	(void)state;
	for (size_t i = 0; i < 2 * LENGTH(rows); i++) {
		struct buffer text = {0}, data = {0}, name = {0};

		make_nested(rows[i / 2].levels, i % 2 > 0, &text);
		assert_int_equal(message_data_read_text(buffer_text(&text), SIZE_MAX,
		                                        &data, &name),
		                 rows[i / 2].fault);
		buffer_release(&text);
		buffer_release(&data);
		buffer_release(&name);
	}
}

/* So that a long body costs no more than the limit. */
static void reading_stops_at_the_limit(void **state)
{
	struct buffer text = {0}, data = {0}, name = {0};
	struct json_reader reader;

	(void)state;
	buffer_add_string(&text, "{");
	for (int i = 0; i < 10000; i++)
		buffer_printf(&text, "%s\"%d\":%d", i > 0 ? ",\n  " : "", i, i);
	buffer_add_string(&text, "}");
	json_reader_init(&reader, buffer_text(&text));
	assert_int_equal(message_data_read(&reader, LIMIT, &data, &name),
	                 MESSAGE_DATA_TOO_LONG);
	assert_true(text.size - reader.rest.size < (size_t)2 * LIMIT);
	assert_true(data.capacity <= LIMIT);
	buffer_release(&text);
	buffer_release(&data);
	buffer_release(&name);
}

/* Around data, in the same text, a member may come again. */
static void what_is_around_it_is_read_on(void **state)
{
	struct buffer data = {0}, name = {0};
	struct json_reader reader;

	(void)state;
	json_reader_init(&reader, text_of("{\"a\": {\"a\":1} ,\"a\":[2]}"));
	assert_int_equal(json_next(&reader, &name), JSON_OBJECT_BEGIN);
	assert_int_equal(json_next(&reader, &name), JSON_NAME);
	assert_int_equal(message_data_read(&reader, LIMIT, &data, &name),
	                 MESSAGE_DATA_FINE);
	assert_text(buffer_text(&data), "{\"a\":1}");
	assert_int_equal(json_next(&reader, &name), JSON_NAME);
	assert_int_equal(json_next(&reader, &name), JSON_ARRAY_BEGIN);
	buffer_release(&data);
	buffer_release(&name);
}

int run_message_data(void)
{
	static const struct CMUnitTest tests[] = {
		TEST("data stays as it was written, up to its limit",
	             it_stays_as_it_was_written),
		TEST("white space between tokens is dropped, and does not count",
	             white_space_between_tokens_goes),
		TEST("the escape of an unpaired surrogate becomes \\ufffd",
	             escapes_of_unpaired_surrogates_are_replaced),
		TEST("a member that comes twice is named", a_member_twice_is_named),
		TEST("what is not one JSON object, or has U+0000, is refused",
	             what_is_no_such_object_is_refused),
		TEST("data is at most 30 objects and arrays deep",
	             nesting_has_a_limit),
		TEST("reading stops at the limit", reading_stops_at_the_limit),
		TEST("the text around data is read on, by its own rules",
	             what_is_around_it_is_read_on),
	};

	return cmocka_run_group_tests_name("message data", tests, NULL, NULL);
}
