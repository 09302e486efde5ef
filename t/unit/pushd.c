/* Tests of how a poll's target is parsed. */
#include "unit.h"

#include "poll/poll_request.h"

static const struct poll_rules rules_off = {.most_rooms = 100};

static struct problem read_target(const char *target,
                                  struct poll_request *request)
{
	return poll_request_read(text_of(target), &rules_off, request);
}

static void a_poll_alone_waits_from_now(void **state)
{
	struct poll_request request;

	(void)state;
	assert_int_equal(read_target("/rooms/room_26/poll", &request).type,
	                 PROBLEM_NONE);
	assert_text(room_name_text(&request.rooms.names[0]), "room_26");
	assert_true(request.terms.from_now);
	assert_int_equal(request.terms.seconds, 25);
}

static const struct poll_rules rules_on = {
	.most_rooms = 100,
	.tells_presence = true,
	.takes_names = true,
};

static void presence_is_asked_for(void **state)
{
	static const struct {
		const char *target;
		enum problem_type off, on;
		bool watches;
		const char *user_id, *username;
	} rows[] = {
		{"/rooms/a/presence", PROBLEM_NOT_FOUND, PROBLEM_NONE, false, "", ""},
		{"/rooms/*/presence", PROBLEM_NOT_FOUND, PROBLEM_BAD_ROOM_NAME, false,
	         "", ""},
		{"/rooms/room_026/presence", PROBLEM_NOT_FOUND,
	         PROBLEM_BAD_ROOM_NAME, false, "", ""},
		{"/rooms/a/poll?presence=1", PROBLEM_NONE, PROBLEM_NONE, true, "",
	         ""},
		{"/rooms/a/poll?presence=0", PROBLEM_NONE, PROBLEM_NONE, false, "",
	         ""},
		{"/rooms/a/poll?presence=2", PROBLEM_NONE, PROBLEM_BAD_PARAMETER,
	         false, "", ""},
		{"/rooms/a,b,c,d,e,f,g,h,i,j/events?presence=1", PROBLEM_NONE,
	         PROBLEM_NONE, true, "", ""},
		{"/rooms/a,b,c,d,e,f,g,h,i,j,k/events?presence=1", PROBLEM_NONE,
	         PROBLEM_BAD_PARAMETER, true, "", ""},
		{"/rooms/*/poll?presence=1", PROBLEM_NONE, PROBLEM_BAD_PARAMETER,
	         true, "", ""},
		{"/rooms/a/poll?user_id=2&username=a+b%C3%A4", PROBLEM_NONE,
	         PROBLEM_NONE, false, "2", "a b\303\244"},
		{"/rooms/a/poll?username=x%01", PROBLEM_NONE, PROBLEM_NONE, false,
	         "", ""},
		{"/rooms/a/poll?user_id=%ff", PROBLEM_NONE, PROBLEM_BAD_PARAMETER,
	         false, NULL, ""},
		{"/rooms/a/poll?presence=1&after=x", PROBLEM_BAD_CURSOR,
	         PROBLEM_BAD_CURSOR, true, "", ""},
		{"/rooms/a/poll?presence=x&after=x", PROBLEM_BAD_CURSOR,
	         PROBLEM_BAD_PARAMETER, false, "", ""},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct poll_request request;
		struct text target = text_of(rows[i].target);

		expect(poll_request_read(target, &rules_off, &request).type ==
		               rows[i].off, "off: %s", rows[i].target);
		expect(!request.terms.watches && request.user_id.size == 0,
		       "off: %s", rows[i].target);
		poll_request_release(&request);
		expect(poll_request_read(target, &rules_on, &request).type ==
		               rows[i].on, "on: %s", rows[i].target);
		assert_int_equal(request.terms.watches, rows[i].watches);
		if (rows[i].user_id != NULL)
			assert_text(buffer_text(&request.user_id), rows[i].user_id);
		assert_text(buffer_text(&request.username), rows[i].username);
		poll_request_release(&request);
	}
}

static void after_says_where_from(void **state)
{
	static const struct {
		const char *target;
		bool from_now;
		int64_t id, position;
	} rows[] = {
		{"/rooms/a/poll?after=now", true, 0, 0},
		{"/rooms/a/poll?after=%6eow", true, 0, 0},
		{"/rooms/a/poll?after=0", false, 0, 0},
		{"/rooms/a/poll?after=142", false, 142, 0},
		{"/rooms/a/poll?after=1.5f3a9c01.142", false, 142, 0},
		{"/rooms/a/poll?after=1.5f3a9c01.142.9be01d22.17", false, 142,
	         17},
		{"/rooms/a/poll?after=1%2e5f3a9c01%2e142", false, 142, 0},
		{"/x/rooms/a/poll?before=now&other&after=142&timeout=1", false,
	         142, 0},
	};
	struct poll_request request;

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		expect(read_target(rows[i].target, &request).type ==
		               PROBLEM_NONE,
		       "%s", rows[i].target);
		expect(request.terms.from_now == rows[i].from_now, "%s",
		       rows[i].target);
		expect(request.terms.cursor.id == rows[i].id &&
		               request.terms.cursor.position == rows[i].position,
		       "%s", rows[i].target);
	}
}

static void timeout_says_how_long(void **state)
{
	static const struct {
		const char *target;
		int seconds;
	} rows[] = {
		{"/rooms/a/poll?timeout=0", 0},
		{"/rooms/a/poll?timeout=1", 1},
		{"/rooms/a/poll?timeout=55", 55},
		{"/rooms/a/poll?after=now&timeout=%35", 5},
	};
	struct poll_request request;

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		expect(read_target(rows[i].target, &request).type ==
		               PROBLEM_NONE,
		       "%s", rows[i].target);
		expect(request.terms.seconds == rows[i].seconds, "%s",
		       rows[i].target);
	}
}

static void what_is_wrong_is_told(void **state)
{
	static const struct {
		const char *target;
		enum problem_type type;
	} rows[] = {
		{"", PROBLEM_NOT_FOUND},
		{"/", PROBLEM_NOT_FOUND},
		{"/rooms/a/messages", PROBLEM_NOT_FOUND},
		{"/rooms/a/messages/1", PROBLEM_NOT_FOUND},
		{"/rooms/a/events/", PROBLEM_NOT_FOUND},
		{"/rooms/room_026/events", PROBLEM_BAD_ROOM_NAME},
		{"/rooms/a/events?after=x", PROBLEM_BAD_CURSOR},
		{"/rooms/a/events?after=1&after=2", PROBLEM_BAD_PARAMETER},
		{"/rooms/a/poll/", PROBLEM_NOT_FOUND},
		{"/rooms/room_026/poll", PROBLEM_BAD_ROOM_NAME},
		{"/rooms/../poll", PROBLEM_BAD_ROOM_NAME},
		{"/rooms/a%2fb/poll", PROBLEM_BAD_ROOM_NAME},
		{"/rooms/a/poll?after", PROBLEM_BAD_CURSOR},
		{"/rooms/a/poll?after=", PROBLEM_BAD_CURSOR},
		{"/rooms/a/poll?after=Now", PROBLEM_BAD_CURSOR},
		{"/rooms/a/poll?after=-1", PROBLEM_BAD_CURSOR},
		{"/rooms/a/poll?after=%", PROBLEM_BAD_CURSOR},
		{"/rooms/a/poll?after=%ff", PROBLEM_BAD_CURSOR},
		{"/rooms/a/poll?after=1%00", PROBLEM_BAD_CURSOR},
		{"/rooms/a/poll?after=+1", PROBLEM_BAD_CURSOR},
		{"/rooms/a/poll?after=2.5f3a9c01.142", PROBLEM_BAD_CURSOR},
		{"/rooms/a/poll?after=1&after=1", PROBLEM_BAD_PARAMETER},
		{"/rooms/a/poll?after=now&after=now", PROBLEM_BAD_PARAMETER},
		{"/rooms/a/poll?timeout", PROBLEM_BAD_PARAMETER},
		{"/rooms/a/poll?timeout=", PROBLEM_BAD_PARAMETER},
		{"/rooms/a/poll?timeout=56", PROBLEM_BAD_PARAMETER},
		{"/rooms/a/poll?timeout=-1", PROBLEM_BAD_PARAMETER},
		{"/rooms/a/poll?timeout=1.5", PROBLEM_BAD_PARAMETER},
		{"/rooms/a/poll?timeout=1s", PROBLEM_BAD_PARAMETER},
		{"/rooms/a/poll?timeout=05", PROBLEM_BAD_PARAMETER},
		{"/rooms/a/poll?timeout=99999999999999999999",
	         PROBLEM_BAD_PARAMETER},
		{"/rooms/a/poll?timeout=1&timeout=1", PROBLEM_BAD_PARAMETER},
	};
	struct poll_request request;

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct problem problem = read_target(rows[i].target, &request);

		expect(problem.type == rows[i].type, "%s: problem %d",
		       rows[i].target, (int)problem.type);
		expect(problem.detail != NULL, "%s", rows[i].target);
	}
}

static void a_stream_has_no_timeout(void **state)
{
	struct poll_request request;

	(void)state;
	assert_int_equal(
		read_target("/rooms/a/events?timeout=x&after=7", &request).type,
		PROBLEM_NONE);
	assert_int_equal(request.kind, ROUTE_EVENTS);
	assert_false(request.terms.from_now);
	assert_int_equal(request.terms.cursor.id, 7);
}

static void an_event_id_goes_before_after(void **state)
{
	static const struct {
		const char *id;
		int64_t expected;
	} rows[] = {
		{"9", 9},
		{"1.5f3a9c01.142", 142},
		{"now", INT64_MAX},
		{"1.5f3a9c01", INT64_MAX},
		{"x", INT64_MAX},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct poll_request request;

		read_target("/rooms/a/events", &request);
		assert_true(request.terms.from_now);
		poll_request_take_event_id(&request, text_of(rows[i].id));
		expect(!request.terms.from_now && request.terms.cursor.id == rows[i].expected,
		       "%s", rows[i].id);
	}
}

static void a_cursor_of_ten_kilobytes_is_refused(void **state)
{
	struct buffer target = {0};
	struct poll_request request;

	(void)state;
	buffer_add_string(&target, "/rooms/a/poll?after=");
	for (int i = 0; i < 1024; i++)
		buffer_add_string(&target, "1111111111");
	assert_int_equal(
		poll_request_read(buffer_text(&target), &rules_off, &request).type,
		PROBLEM_BAD_CURSOR);
	buffer_release(&target);
}

int run_pushd(void)
{
	static const struct CMUnitTest tests[] = {
		TEST("presence is asked for, if it is told", presence_is_asked_for),
		TEST("a poll without parameters waits 25 s from now",
	             a_poll_alone_waits_from_now),
		TEST("after accepts a cursor, an id or now",
	             after_says_where_from),
		TEST("timeout takes 0 to 55 seconds", timeout_says_how_long),
		TEST("an invalid poll is reported by the problem's type",
	             what_is_wrong_is_told),
		TEST("a stream has no timeout", a_stream_has_no_timeout),
		TEST("Last-Event-ID goes before after, and may be unreadable",
	             an_event_id_goes_before_after),
		TEST("a cursor of ten kilobytes is refused",
	             a_cursor_of_ten_kilobytes_is_refused),
	};

	return cmocka_run_group_tests_name("pushd", tests, NULL, NULL);
}
