/* Tests of what clients read: messages and pages as JSON. */
#include "unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "codec/message.h"
#include "codec/page.h"

#define REPLACEMENT "\xef\xbf\xbd"

static struct message plain_message(void)
{
	return (struct message){
		.id = 142,
		.room = room_named("room_26"),
		.sender_id = text_of("2"),
		.sender_name = text_of("ann"),
		.sender_type = text_of("user"),
		.content = text_of("Hello world"),
		.sent_ms = INT64_C(1795327320123),
	};
}

/* Caller unrefs. */
static json_object *render(const struct message *m)
{
	struct buffer b = {0};

	message_render(m, &b);
	json_object *object = json_read(buffer_text(&b));
	buffer_release(&b);
	return object;
}

static void a_message_is_as_documented(void **state)
{
	struct message m = plain_message();
	struct buffer b = {0};

	(void)state;
	message_render(&m, &b);
	assert_text(buffer_text(&b),
	            "{\"type\":\"chat_message\",\"id\":142,"
	            "\"room_id\":\"room_26\",\"user_id\":\"2\","
	            "\"username\":\"ann\",\"sender_type\":\"user\","
	            "\"content\":\"Hello world\","
	            "\"timestamp\":\"2026-11-22T06:02:00.123Z\"}");
	buffer_release(&b);
}

static void a_message_has_what_it_carries(void **state)
{
	struct message m = plain_message();
	struct buffer b = {0};

	(void)state;
	m.type = text_of("file");
	m.content = text_of("");
	m.data = text_of("{\"b\":1.50,\"a\":[]}");
	m.reply_to = 7;
	message_render(&m, &b);
	assert_text(buffer_text(&b),
	            "{\"type\":\"file\",\"id\":142,"
	            "\"room_id\":\"room_26\",\"user_id\":\"2\","
	            "\"username\":\"ann\",\"sender_type\":\"user\","
	            "\"content\":\"\",\"data\":{\"b\":1.50,\"a\":[]},"
	            "\"reply_to\":7,"
	            "\"timestamp\":\"2026-11-22T06:02:00.123Z\"}");
	buffer_release(&b);
}

/* A row or a frame may have any bytes there. */
static void only_data_that_is_an_object_is_rendered(void **state)
{
	static const struct {
		const char *data, *rendered;
	} rows[] = {
		{"{\"a\":1}", ",\"data\":{\"a\":1}"},
		{" {\n\"a\" : [1, 2]\r\n} ", ",\"data\":{\"a\":[1,2]}"},
		{"{\"a\":\"\\udc00\"}", ",\"data\":{\"a\":\"\\ufffd\"}"},
		{"{\"a\":\"\n\"}", ""},
		{"{}}", ""},
		{"[1]", ""},
		{"1,\"saved\":false", ""},
		{"{\"a\":1,\"a\":2}", ",\"data\":{\"a\":1,\"a\":2}"},
		{"{\"a\":\"\xff\"}", ""},
		{"\n", ""},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct message m = plain_message(), without = plain_message();
		struct buffer b = {0}, expected = {0};

		m.data = text_of(rows[i].data);
		message_render(&m, &b);
		message_render(&without, &expected);
		buffer_add(&expected, "", 1); /* for strstr() */
		expected.size--;
		struct text rest = buffer_text(&expected);
		size_t head = (size_t)(strstr(rest.data, ",\"timestamp\"") - rest.data);
		expect(b.size == rest.size + strlen(rows[i].rendered) &&
		               memcmp(b.data, rest.data, head) == 0 &&
		               memcmp(b.data + head, rows[i].rendered,
		                      strlen(rows[i].rendered)) == 0,
		       "%.*s", TEXT_ARGS(buffer_text(&b)));
		buffer_release(&b);
		buffer_release(&expected);
	}
}

static void a_message_in_no_log_says_so(void **state)
{
	struct message m = plain_message();

	(void)state;
	m.id = 0;
	json_object *object = render(&m);
	assert_null(json_member(object, "id"));
	assert_true(json_object_is_type(json_member(object, "saved"),
	                                json_type_boolean));
	assert_false(json_flag(object, "saved"));
	json_object_put(object);
}

static void a_client_id_is_there_when_given(void **state)
{
	struct message m = plain_message();

	(void)state;
	m.client_id = text_of("c-1");
	json_object *object = render(&m);
	assert_text(json_text(object, "client_id"), "c-1");
	json_object_put(object);
}

static void every_byte_of_ascii_survives(void **state)
{
	struct message m = plain_message();
	char all[128];

	(void)state;
	for (size_t i = 0; i < sizeof all; i++)
		all[i] = (char)i;
	m.content = m.sender_id = m.sender_name = m.client_id =
		(struct text){all, sizeof all};
	json_object *object = render(&m);
	assert_true(text_equal(json_text(object, "content"), m.content));
	assert_true(text_equal(json_text(object, "user_id"), m.content));
	assert_true(text_equal(json_text(object, "username"), m.content));
	assert_true(text_equal(json_text(object, "client_id"), m.content));
	json_object_put(object);
}

static void no_control_character_comes_out_raw(void **state)
{
	struct message m = plain_message();
	struct buffer b = {0};
	char all[128];

	(void)state;
	for (size_t i = 0; i < sizeof all; i++)
		all[i] = (char)i;
	m.content = (struct text){all, sizeof all};
	message_render(&m, &b);
	for (size_t i = 0; i < b.size; i++)
		expect((unsigned char)b.data[i] >= 0x20, "at %zu: %02x", i,
		       (unsigned)(unsigned char)b.data[i]);
	buffer_release(&b);
}

static void bytes_that_are_not_utf8_are_replaced(void **state)
{
	static const char *const rows[][2] = {
		{"a\xff"
	         "b",
	         "a" REPLACEMENT "b"},
		{"\xc3", REPLACEMENT},
		{"\xe2\x82", REPLACEMENT REPLACEMENT},
		{"\xc0\x80", REPLACEMENT REPLACEMENT},
		{"\xed\xa0\x80", REPLACEMENT REPLACEMENT REPLACEMENT},
		{"\xf4\x90\x80\x80",
	         REPLACEMENT REPLACEMENT REPLACEMENT REPLACEMENT},
		{"\xc3\xa9\xff\xf0\x9f\x98\x80", "\xc3\xa9" REPLACEMENT
	                                          "\xf0\x9f\x98\x80"},
		{"\"\xff\\", "\"" REPLACEMENT "\\"},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct message m = plain_message();

		m.content = text_of(rows[i][0]);
		json_object *object = render(&m);
		assert_text(json_text(object, "content"), rows[i][1]);
		json_object_put(object);
	}
}

static void texts_may_be_missing(void **state)
{
	struct message m = {.id = 1, .room = room_named("a")};

	(void)state;
	json_object *object = render(&m);
	assert_text(json_text(object, "content"), "");
	assert_text(json_text(object, "username"), "");
	json_object_put(object);
}

static void times_stay_within_four_digit_years(void **state)
{
	static const struct {
		int64_t sent_ms;
		const char *timestamp;
	} rows[] = {
		{0, "1970-01-01T00:00:00.000Z"},
		{1, "1970-01-01T00:00:00.001Z"},
		{-1, "1969-12-31T23:59:59.999Z"},
		{INT64_C(951782400000), "2000-02-29T00:00:00.000Z"},
		{INT64_MAX, "9999-12-31T23:59:59.999Z"},
		{INT64_MIN, "1000-01-01T00:00:00.000Z"},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct message m = plain_message();

		m.sent_ms = rows[i].sent_ms;
		json_object *object = render(&m);
		assert_text(json_text(object, "timestamp"),
		            rows[i].timestamp);
		json_object_put(object);
	}
}

/* ---- Pages ---- */

/* A page of this many messages. Caller unrefs. */
static json_object *render_page(int64_t count, const struct page_end *end)
{
	struct room_name room = room_named("room_26");
	struct message m = plain_message();
	struct buffer b = {0};
	struct page page;

	page_begin(&page, &b, &room);
	for (m.id = 1; m.id <= count; m.id++) {
		page_separate(&page);
		message_render(&m, &b);
	}
	page_end(&page, end);
	json_object *object = json_read(buffer_text(&b));
	buffer_release(&b);
	return object;
}

static struct page_end plain_end(void)
{
	return (struct page_end){
		.cursor = {.names_log = true, .log = 0x5f3a9c01, .id = 142},
		.earliest = 12,
	};
}

static void a_page_counts_its_messages(void **state)
{
	static const int64_t counts[] = {0, 1, 2, 9, 10, 99, 100, 1000};
	struct page_end end = plain_end();

	(void)state;
	for (size_t i = 0; i < LENGTH(counts); i++) {
		json_object *page = render_page(counts[i], &end);
		json_object *messages = json_member(page, "messages");

		assert_text(json_text(page, "room_id"), "room_26");
		assert_int_equal(json_number(page, "count"), counts[i]);
		assert_int_equal(json_object_array_length(messages), counts[i]);
		for (int64_t at = 0; at < counts[i]; at++)
			assert_int_equal(
				json_number(json_object_array_get_idx(
						     messages, (size_t)at),
			                     "id"),
				at + 1);
		json_object_put(page);
	}
}

static void an_empty_page_is_as_documented(void **state)
{
	struct room_name room = room_named("room_26");
	struct page_end end = plain_end();
	struct buffer b = {0};
	struct page page;

	(void)state;
	page_begin(&page, &b, &room);
	page_end(&page, &end);
	assert_text(buffer_text(&b),
	            "{\"room_id\":\"room_26\",\"count\":0,\"messages\":[],"
	            "\"cursor\":\"1.5f3a9c01.142\",\"earliest\":12,"
	            "\"more\":false}");
	buffer_release(&b);
}

/* The page of one message, which is not looked at. */
static void expect_page(const struct room_name *room, const struct page_end *end,
                        const char *json)
{
	struct buffer b = {0};
	struct page page;

	page_begin(&page, &b, room);
	page_add_all(&page, text_of("{}"), 1);
	page_end(&page, end);
	assert_text(buffer_text(&b), json);
	json_object_put(json_read(buffer_text(&b)));
	buffer_release(&b);
}

static void a_page_of_several_is_as_documented(void **state)
{
	struct page_end end = plain_end();

	(void)state;
	expect_page(NULL, &end,
	            "{\"count\":1,\"messages\":[{}],"
	            "\"cursor\":\"1.5f3a9c01.142\",\"more\":false}");
	end.ephemeral = end.more = end.gap = true;
	end.gap_rooms = text_of("\"team_red\"");
	expect_page(NULL, &end,
	            "{\"count\":1,\"messages\":[{}],"
	            "\"cursor\":\"1.5f3a9c01.142\",\"more\":true,"
	            "\"gap\":true,\"gap_rooms\":[\"team_red\"]}");
	end.forbidden = text_of("\"x\",\"room_7\"");
	end.reset = true;
	end.retry_ms = 1200;
	expect_page(NULL, &end,
	            "{\"count\":1,\"messages\":[{}],"
	            "\"cursor\":\"1.5f3a9c01.142\",\"more\":true,"
	            "\"gap\":true,\"gap_rooms\":[\"team_red\"],"
	            "\"forbidden\":[\"x\",\"room_7\"],\"reset\":true,"
	            "\"retry_ms\":1200}");
	end.gap = end.more = end.reset = false;
	end.gap_rooms.size = 0;
	expect_page(NULL, &end,
	            "{\"count\":1,\"messages\":[{}],"
	            "\"cursor\":\"1.5f3a9c01.142\",\"more\":false,"
	            "\"forbidden\":[\"x\",\"room_7\"],\"retry_ms\":1200}");
}

/* All that a page of one room can have. */
static void a_page_of_one_room_names_no_others(void **state)
{
	const struct room_name room = room_named("room_26");
	struct page_end end = plain_end();

	(void)state;
	end.more = end.gap = end.reset = end.ephemeral = true;
	end.retry_ms = 1200;
	end.gap_rooms = end.forbidden = text_of("\"x\"");
	expect_page(&room, &end,
	            "{\"room_id\":\"room_26\",\"count\":1,\"messages\":[{}],"
	            "\"cursor\":\"1.5f3a9c01.142\",\"earliest\":12,"
	            "\"more\":true,\"gap\":true,\"reset\":true,"
	            "\"ephemeral\":true,\"retry_ms\":1200}");
}

static void a_room_without_messages_has_no_earliest(void **state)
{
	struct page_end end = plain_end();

	(void)state;
	end.earliest = 0;
	json_object *page = render_page(0, &end);
	assert_null(json_member(page, "earliest"));
	json_object_put(page);
}

static void flags_are_there_when_true(void **state)
{
	(void)state;
	for (int flags = 0; flags < 8; flags++) {
		struct page_end end = plain_end();

		end.more = flags & 1;
		end.gap = flags & 2;
		end.reset = flags & 4;
		json_object *page = render_page(1, &end);
		assert_int_equal(json_flag(page, "more"), end.more);
		assert_true(json_object_is_type(json_member(page, "more"),
		                                json_type_boolean));
		assert_int_equal(
			json_object_object_get_ex(page, "gap", NULL), end.gap);
		assert_int_equal(json_flag(page, "gap"), end.gap);
		assert_int_equal(
			json_object_object_get_ex(page, "reset", NULL),
			end.reset);
		assert_int_equal(json_flag(page, "reset"), end.reset);
		json_object_put(page);
	}
}

int run_render(void)
{
	static const struct CMUnitTest tests[] = {
		TEST("a message is rendered as PROTOCOL shows it",
	             a_message_is_as_documented),
		TEST("a message has its type, its data and what it replies to",
	             a_message_has_what_it_carries),
		TEST("only data that is a JSON object is rendered, without white space",
	             only_data_that_is_an_object_is_rendered),
		TEST("an unsaved message has no id and says so",
	             a_message_in_no_log_says_so),
		TEST("a client_id is rendered if there is one",
	             a_client_id_is_there_when_given),
		TEST("every ASCII byte survives the round trip through JSON",
	             every_byte_of_ascii_survives),
		TEST("no control character comes out unescaped",
	             no_control_character_comes_out_raw),
		TEST("each byte that is not UTF-8 becomes U+FFFD",
	             bytes_that_are_not_utf8_are_replaced),
		TEST("a missing text is rendered as an empty one",
	             texts_may_be_missing),
		TEST("times are UTC in milliseconds, with years of four digits",
	             times_stay_within_four_digit_years),
		TEST("a page counts its messages", a_page_counts_its_messages),
		TEST("an empty page is rendered as PROTOCOL shows it",
	             an_empty_page_is_as_documented),
		TEST("a page of several rooms has the form that PROTOCOL shows",
	             a_page_of_several_is_as_documented),
		TEST("a page of one room names no other rooms",
	             a_page_of_one_room_names_no_others),
		TEST("the earliest message of an empty room is null",
	             a_room_without_messages_has_no_earliest),
		TEST("more is always present, gap and reset only when true",
	             flags_are_there_when_true),
	};

	return cmocka_run_group_tests_name("render", tests, NULL, NULL);
}
