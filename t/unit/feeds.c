/* Tests of the hub with clients that follow several rooms, or all of them. */
#include "hub_fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "loop/turn.h"

enum {
	PAGE_MESSAGES = 1000, /* PROTOCOL section 9 */
	SEED = 20261130,
	ROOMS_MOST = 100, /* limits.rooms_per_request */
};

static void remove_saved(struct fixture *f, int64_t id)
{
	f->log.messages[id - 1].removed = true;
}

/* An operator removes a message, and the hub is told. */
static void remove_message(struct fixture *f, int64_t id)
{
	remove_saved(f, id);
	tell_change(f, f->log.messages[id - 1].room.string, false);
}

/* The rooms named as having lost messages. */
#define assert_gaps(client, expected)                                          \
	do {                                                                   \
		assert_text(buffer_text(&(client)->delivery->gap_rooms),       \
		            expected);                                         \
		assert_int_equal((client)->gap, (expected)[0] != '\0');        \
	} while (0)

/* An id as a cursor. */
static void ask_after(struct client *c, const char *rooms, int64_t id)
{
	char after[24];

	snprintf(after, sizeof after, "%" PRId64, id);
	ask(c, rooms, after);
}

/* Asks and takes what the log has to say to it, if it must be read. */
static struct client *get(struct fixture *f, int which, const char *rooms,
                          int64_t after)
{
	struct client *c = client_of(f, which);

	hub_leave(&f->hub, &c->waiter);
	c->answers = 0;
	ask_after(c, rooms, after);
	run_reads(f);
	return c;
}

#define assert_gets(f, which, rooms, after, expected)                          \
	do {                                                                   \
		struct client *got = get(f, which, rooms, after);              \
                                                                               \
		assert_got(got, 1, expected);                                  \
	} while (0)

/* So that the hub knows where these rooms begin. */
static void know(struct fixture *f, const char *rooms)
{
	hub_leave(&f->hub, &park(f, 0, rooms)->waiter);
}

/* ---- Waiting and being served ---- */

static void a_message_in_any_room_wakes_once(void **state)
{
	struct fixture *f = *state;
	struct client *a = park(f, 0, "room_1,room_2,lobby");

	say(f, "room_3");
	assert_int_equal(a->answers, 0);
	say(f, "room_2");
	assert_got(a, 1, "2 ");
	assert_state(a, WAITER_IDLE);
	assert_true(a->delivery->is_several);
	ask_again(a);
	assert_state(a, WAITER_PARKED);
	say(f, "lobby");
	assert_got(a, 2, "3 ");
	assert_false(a->more || a->gap || a->reset);
	ask_again(a);
	say_unsaved(f, "room_1");
	assert_got(a, 3, "u1 ");
}

static void a_batch_comes_in_one_delivery(void **state)
{
	struct fixture *f = *state;
	struct client *a = park(f, 0, "room_1,room_2,lobby");
	struct client *b = park(f, 1, "lobby");
	struct client *c = park(f, 2, "*");

	save(f, "lobby");
	save(f, "room_2");
	save(f, "room_9");
	save(f, "room_1");
	append_unsaved(f, "room_2");
	save(f, "lobby");
	look(f);
	assert_got(a, 1, "u1 1 2 4 5 ");
	assert_got(b, 1, "1 5 ");
	assert_got(c, 1, "u1 1 2 3 4 5 ");
	assert_int_equal(a->delivery->cursor.id, 5);
}

/* The window merges them. */
static void many_rooms_come_in_the_logs_order(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0);
	struct random random = random_from(SEED);
	struct buffer rooms = {0}, expected = {0};

	for (int i = 1; i <= 12; i++)
		buffer_printf(&rooms, "%sroom_%d", i > 1 ? "," : "", i);
	buffer_add(&rooms, "", 1);
	know(f, rooms.data);
	for (int64_t id = 1; id <= 400; id++) {
		char name[24];
		int room = 1 + (int)random_below(&random, 16);

		snprintf(name, sizeof name, "room_%d", room);
		if (random_below(&random, 4) == 0)
			say_unsaved(f, name);
		assert_int_equal(say(f, name), id);
		if (room <= 12)
			buffer_printf(&expected, "%" PRId64 " ", id);
	}
	int asked = f->log.asked;
	ask(a, rooms.data, "0");
	assert_int_equal(f->log.asked, asked);
	buffer_add(&expected, "", 1);
	assert_got(a, 1, expected.data);
	buffer_release(&rooms);
	buffer_release(&expected);
}

/* Unlike rooms of a list, which are there as long as a client asks for them. */
static void all_rooms_include_later_ones(void **state)
{
	struct fixture *f = *state;
	struct client *a = park(f, 0, "*");

	say(f, "room_1");
	assert_got(a, 1, "1 ");
	ask_again(a);
	say(f, "created_later");
	assert_got(a, 2, "2 ");
	ask_again(a);
	say_unsaved(f, "only_broadcast");
	assert_got(a, 3, "u1 ");
	say(f, "room_1");
	say(f, "another");
	int asked = f->log.asked;
	ask_again(a);
	assert_got(a, 4, "3 4 ");
	assert_int_equal(f->log.asked, asked);
	assert_true(a->delivery->is_several);
}

static void forbidden_rooms_are_told(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0), *b = client_of(f, 1);
	struct client *c = client_of(f, 2);

	a->forbidden = "\"board\"";
	b->forbidden = "\"board\",\"staff\"";
	park(f, 0, "room_1,room_2");
	park(f, 1, "room_1,room_2");
	park(f, 2, "room_1,room_2");
	say(f, "room_2");
	assert_got(a, 1, "1 ");
	assert_got(b, 1, "1 ");
	assert_got(c, 1, "1 ");
	assert_text(buffer_text(&a->delivery->forbidden), a->forbidden);
	assert_text(buffer_text(&b->delivery->forbidden), b->forbidden);
	assert_text(buffer_text(&c->delivery->forbidden), "");
	ask_again(a);
	hub_time_out(&f->hub, &a->waiter);
	assert_got(a, 2, "");
	assert_text(buffer_text(&a->delivery->forbidden), a->forbidden);
	drop_window(f);
	get(f, 0, "room_1,room_2", 0);
	assert_got(a, 1, "1 ");
	assert_text(buffer_text(&a->delivery->forbidden), a->forbidden);
}

/* The page of one of several has the form of several. */
static void one_room_may_be_left(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0);
	struct client *b = park(f, 1, "room_1");

	a->forbidden = "\"board\"";
	park(f, 0, "room_1");
	say(f, "room_1");
	assert_got(a, 1, "1 ");
	assert_got(b, 1, "1 ");
	assert_true(a->delivery->is_several);
	assert_false(b->delivery->is_several);
}

static void equal_sets_share_deliveries(void **state)
{
	struct fixture *f = *state;
	struct client *a = park(f, 0, "room_1,room_2,lobby");
	struct client *b = park(f, 1, "lobby,room_2,room_1");
	struct client *c = park(f, 2, "lobby,room_2");

	assert_ptr_equal(a->waiter.feed, b->waiter.feed);
	assert_int_equal(f->hub.feeds.count, 2);
	say(f, "room_2");
	assert_got(a, 1, "1 ");
	assert_got(c, 1, "1 ");
	assert_ptr_equal(a->delivery, b->delivery);
	ask(a, "room_1,lobby,room_2", "0");
	ask(b, "room_2,lobby,room_1", "0");
	assert_got(a, 2, "1 ");
	assert_ptr_equal(a->delivery, b->delivery);
	/* Until one of the rooms has more. */
	say(f, "lobby");
	ask_again(a);
	assert_got(a, 3, "2 ");
	say(f, "room_9");
	ask_again(b);
	assert_ptr_equal(a->delivery, b->delivery);
}

static void a_cursor_of_several_serves_others(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0);

	know(f, "room_1,room_2,lobby");
	say(f, "room_1");
	say(f, "lobby");
	ask(a, "room_1,room_2", "0");
	assert_got(a, 1, "1 ");
	say_unsaved(f, "lobby");
	say(f, "lobby");
	char *cursor = memory_copy(a->cursor, strlen(a->cursor));
	ask(a, "room_2,lobby", cursor);
	assert_got(a, 2, "u1 3 ");
	free(cursor);
}

/* ---- The log ---- */

static void one_read_serves_a_feed(void **state)
{
	static const char *const sets[] = {"room_1,lobby", "*"};
	static const char *const expected[][3] = {
		{"1 2 4 ", "2 4 ", "4 "}, {"1 2 3 4 ", "2 3 4 ", "4 "}};
	struct fixture *f = *state;

	say(f, "room_1");
	say(f, "lobby");
	say(f, "room_2");
	say(f, "room_1");
	drop_window(f);
	for (size_t set = 0; set < LENGTH(sets); set++) {
		int asked = f->log.asked;

		/* The first begins a read, and the others need another one. */
		ask(client_of(f, 3), sets[set], "3");
		for (int i = 0; i < 3; i++) {
			ask_after(client_of(f, i), sets[set], i == 2 ? 3 : i);
			assert_state(client_of(f, i), WAITER_READING);
		}
		run_reads(f);
		assert_int_equal(f->log.asked, asked + 2);
		assert_got(client_of(f, 3), (int)set + 1, "4 ");
		for (int i = 0; i < 3; i++)
			assert_got(client_of(f, i), (int)set + 1,
			           expected[set][i]);
	}
	assert_int_equal(f->hub.reads, 0);
}

static void reads_are_limited_by_feed(void **state)
{
	struct fixture *f = *state;

	say(f, "room_1");
	drop_window(f);
	hub_set_limits(&f->hub, WINDOW_BYTES, 2);
	ask(client_of(f, 0), "room_1,room_2", "0");
	ask(client_of(f, 1), "room_1,room_2", "0");
	ask(client_of(f, 2), "*", "0");
	ask(client_of(f, 3), "room_1,room_3", "0");
	assert_int_equal(client_of(f, 3)->status, 503);
	run_reads(f);
	for (int i = 0; i < 3; i++)
		assert_got(client_of(f, i), 1, "1 ");
}

static void only_what_the_window_lacks_is_read(void **state)
{
	static const char *const sets[] = {"room_1,lobby", "*"};
	struct fixture *f = *state;

	for (size_t set = 0; set < LENGTH(sets); set++) {
		know(f, sets[set]);
		say(f, "room_1");
		int64_t dropped = say(f, "lobby");
		drop_window(f);
		say(f, "room_1");
		int asked = f->log.asked;
		get(f, 1, sets[set], dropped);
		assert_int_equal(f->log.asked, asked);
		assert_int_equal(client_of(f, 1)->count, 1);
		get(f, 1, sets[set], dropped - 1);
		assert_int_equal(f->log.asked, asked + 1);
		assert_int_equal(client_of(f, 1)->count, 2);
	}
}

/* 2500 messages of two rooms between others. */
static void long_pages_of_several_end_at_a_thousand(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0);

	for (int i = 0; i < PAGE_MESSAGES; i++) {
		say(f, "room_1");
		say(f, "lobby");
		if (i % 2 == 0)
			say(f, "room_2");
	}
	for (int from_log = 0; from_log < 2; from_log++) {
		ask(a, "room_1,room_2", "0");
		run_reads(f);
		assert_int_equal(a->count, PAGE_MESSAGES);
		assert_true(a->more);
		ask_again(a);
		run_reads(f);
		assert_int_equal(a->count, PAGE_MESSAGES / 2);
		assert_false(a->more);
		assert_int_equal(a->delivery->cursor.id, f->log.newest);
		drop_window(f);
	}
}

static void a_failed_read_is_told_to_all(void **state)
{
	struct fixture *f = *state;

	say(f, "room_1");
	drop_window(f);
	f->log.failing = true;
	ask(client_of(f, 0), "room_1,room_2", "0");
	ask(client_of(f, 1), "*", "0");
	run_reads(f);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(client_of(f, i)->answers, 1);
		assert_int_equal(client_of(f, i)->status, 503);
	}
	f->log.failing = false;
	assert_gets(f, 0, "room_1,room_2", 0, "1 ");
	assert_gets(f, 1, "*", 0, "1 ");
}

static void ask_again_if_refused(struct client *c)
{
	if (c->status != 200)
		ask_after(c, c->room, 0);
}

static void refused_ones_may_ask_at_once(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0);

	say(f, "room_1");
	drop_window(f);
	a->then = ask_again_if_refused;
	f->log.failing = true;
	ask(a, "room_1,room_2", "0");
	give_back(&f->log);
	assert_int_equal(a->status, 503);
	assert_state(a, WAITER_READING);
	f->log.failing = false;
	run_reads(f);
	assert_got(a, 2, "1 ");
}

/* ---- Removed and changed messages ---- */

static void gaps_are_named_by_room(void **state)
{
	struct fixture *f = *state;
	struct client *a;

	say(f, "room_1");
	say(f, "room_2");
	say(f, "lobby");
	say(f, "room_1");
	say(f, "room_2");
	remove_message(f, 1);
	remove_message(f, 2);
	a = get(f, 0, "room_1,room_2,lobby", 0);
	assert_got(a, 1, "3 4 5 ");
	assert_true(a->gap);
	assert_int_equal(a->delivery->gap_rooms.size,
	                 strlen("\"room_1\",\"room_2\""));
	a = get(f, 0, "room_1,lobby", 0);
	assert_got(a, 1, "3 4 ");
	assert_gaps(a, "\"room_1\"");
	a = get(f, 0, "room_2,lobby", 1);
	assert_gaps(a, "\"room_2\"");
	a = get(f, 0, "*", 1);
	assert_got(a, 1, "3 4 5 ");
	assert_gaps(a, "\"room_2\"");
	a = get(f, 0, "room_1,lobby", 1);
	assert_got(a, 1, "3 4 ");
	assert_gaps(a, "");
	ask_again(a);
	assert_state(a, WAITER_PARKED);
}

/* In the page whose cursor passes the last removed message, though others went
 * before it. */
static void a_gap_is_told_in_one_page(void **state)
{
	static const char *const sets[] = {"room_1,room_2", "*"};
	struct fixture *f = *state;
	struct client *a = client_of(f, 0);

	for (int i = 0; i < 5; i++)
		say(f, i == 1 ? "room_2" : "room_1");
	say_many(f, "room_2", 3 * PAGE_MESSAGES / 2);
	int64_t last = say(f, "room_1");
	say_many(f, "room_2", PAGE_MESSAGES / 2 - 1);
	remove_saved(f, last);
	remove_message(f, 1);
	remove_message(f, 2);
	for (size_t set = 0; set < LENGTH(sets); set++) {
		get(f, 0, sets[set], 0);
		assert_int_equal(a->count, PAGE_MESSAGES);
		assert_gaps(a, "\"room_2\"");
		ask_again(a);
		run_reads(f);
		assert_gaps(a, "\"room_1\"");
		assert_int_equal(a->count, PAGE_MESSAGES);
		ask_again(a);
		run_reads(f);
		assert_int_equal(a->count, 2);
		assert_false(a->gap);
		ask_again(a);
		assert_state(a, WAITER_PARKED);
		hub_leave(&f->hub, &a->waiter);
	}
}

static void other_rooms_removals_need_no_read(void **state)
{
	struct fixture *f = *state;

	know(f, "room_1,room_2");
	know(f, "lobby");
	say(f, "room_1");
	say(f, "room_2");
	say(f, "lobby");
	remove_message(f, 3);
	int asked = f->log.asked;
	assert_gets(f, 0, "room_1,room_2", 0, "1 2 ");
	assert_gets(f, 0, "room_2", 0, "2 ");
	assert_int_equal(f->log.asked, asked);
	assert_gets(f, 0, "*", 2, "");
	assert_gaps(client_of(f, 0), "\"lobby\"");
	assert_int_equal(f->log.asked, asked + 1);
	get(f, 0, "*", 3);
	assert_state(client_of(f, 0), WAITER_PARKED);
}

/* ... even of rooms that the hub has never heard of. */
static void an_unknown_rooms_removal_is_a_gap_of_all(void **state)
{
	struct fixture *f = *state;

	know(f, "*");
	say(f, "room_1");
	save(f, "elsewhere");
	remove_saved(f, 2);
	look(f);
	say(f, "room_1");
	tell_change(f, "elsewhere", false);
	assert_gets(f, 0, "*", 1, "3 ");
	assert_gaps(client_of(f, 0), "\"elsewhere\"");
}

static void the_whole_lacks_what_a_room_lost(void **state)
{
	struct fixture *f = *state;

	know(f, "room_1,room_2,lobby");
	know(f, "*");
	say(f, "room_1");
	say(f, "room_2");
	say(f, "room_1");
	say_unsaved(f, "room_1");
	say(f, "lobby");
	int asked = f->log.asked;
	remove_message(f, 1);
	assert_gets(f, 0, "*", 1, "2 3 4 ");
	assert_gets(f, 0, "room_2,lobby", 0, "2 4 ");
	assert_gets(f, 0, "room_1,lobby", 1, "3 4 ");
	assert_int_equal(f->log.asked, asked);
	assert_gets(f, 0, "*", 0, "2 3 4 ");
	assert_gaps(client_of(f, 0), "\"room_1\"");
	assert_int_equal(f->log.asked, asked + 1);
}

static void a_changed_room_is_read_for_several(void **state)
{
	struct fixture *f = *state;

	know(f, "room_1,room_2,lobby");
	know(f, "*");
	say(f, "room_1");
	say(f, "room_2");
	say(f, "room_1");
	say(f, "lobby");
	get(f, 0, "*", 0);
	get(f, 0, "room_1,lobby", 0);
	int asked = f->log.asked;
	tell_change(f, "room_1", true);
	assert_gets(f, 0, "*", 3, "4 ");
	assert_gets(f, 0, "room_2,lobby", 0, "2 4 ");
	assert_int_equal(f->log.asked, asked);
	assert_gets(f, 0, "*", 2, "3 4 ");
	assert_gets(f, 0, "*", 0, "1 2 3 4 ");
	assert_gets(f, 0, "room_1,lobby", 0, "1 3 4 ");
	assert_int_equal(f->log.asked, asked + 3);
	assert_false(client_of(f, 0)->gap);
	say(f, "room_1");
	asked = f->log.asked;
	assert_gets(f, 0, "*", 3, "4 5 ");
	assert_gets(f, 0, "room_1,room_2", 4, "5 ");
	assert_int_equal(f->log.asked, asked);
}

static void parked_ones_are_told_of_unseen_removals(void **state)
{
	static const char *const sets[] = {"room_1,room_2", "*"};
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++)
		park(f, i, sets[i]);
	struct client *other = park(f, 2, "lobby,room_2");
	save(f, "room_1");
	remove_saved(f, 1);
	look(f);
	tell_change(f, "room_1", false);
	run_reads(f);
	for (int i = 0; i < 2; i++) {
		assert_got(client_of(f, i), 1, "");
		assert_gaps(client_of(f, i), "\"room_1\"");
	}
	assert_int_equal(other->answers, 0);
	/* Told once. */
	for (int i = 0; i < 2; i++)
		ask_again(client_of(f, i));
	tell_change(f, "room_1", false);
	run_reads(f);
	for (int i = 0; i < 2; i++)
		assert_state(client_of(f, i), WAITER_PARKED);
}

/* ---- Another log ---- */

static void several_are_reset_without_messages(void **state)
{
	static const char *const sets[] = {"room_1,room_2", "*"};
	struct fixture *f = *state;

	say_many(f, "room_1", 3);
	for (int i = 0; i < 2; i++) {
		struct client *a = client_of(f, i);

		ask(a, sets[i], "1.0badcafe.2");
		assert_state(a, WAITER_UNSETTLED);
		look(f);
		assert_got(a, 1, "");
		assert_true(a->reset && !a->more && !a->gap);
		assert_int_equal(a->delivery->cursor.id, 3);
		ask_again(a);
		run_reads(f);
		assert_state(a, WAITER_PARKED);
	}
	say(f, "room_1");
	for (int i = 0; i < 2; i++)
		assert_got(client_of(f, i), 2, "4 ");
}

static void start_another_log(struct fixture *f, int64_t from)
{
	hub_start_over(&f->hub, f->log.log, from);
	look(f);
}

static void another_log_resets_all_feeds(void **state)
{
	static const char *const sets[] = {"room_1,room_2", "*", "lobby,room_1"};
	struct fixture *f = *state;

	say_many(f, "room_1", 3);
	park(f, 0, sets[0]);
	park(f, 1, sets[1]);
	/* What was cached of the old log. */
	get(f, 3, sets[2], 1);
	get(f, 3, sets[1], 1);
	/* One whose read is under way. */
	drop_window(f);
	ask(client_of(f, 2), sets[0], "1");
	perform_next(&f->log);
	replace_log(f, OTHER_LOG, 9, "lobby");
	start_another_log(f, 5);
	for (int i = 0; i < 2; i++) {
		assert_got(client_of(f, i), 1, "");
		assert_true(client_of(f, i)->reset);
		assert_int_equal(client_of(f, i)->delivery->cursor.id, 9);
		assert_int_equal(client_of(f, i)->delivery->cursor.log, OTHER_LOG);
	}
	run_reads(f);
	look(f);
	assert_got(client_of(f, 2), 1, "");
	assert_true(client_of(f, 2)->reset);
	/* An id alone is of any log. */
	assert_gets(f, 3, sets[2], 1, "2 3 4 5 6 7 8 9 ");
	assert_gets(f, 3, sets[1], 1, "2 3 4 5 6 7 8 9 ");
	int asked = f->log.asked;
	assert_gets(f, 3, sets[1], 7, "8 9 ");
	assert_int_equal(f->log.asked, asked);
}

/* A delivery without messages is cached too, for the place where all is delivered. */
static void no_delivery_of_another_log_is_kept(void **state)
{
	static const char *const sets[] = {"room_1,room_2", "*", "room_1"};
	struct fixture *f = *state;

	say_many(f, "room_1", 3);
	for (int i = 0; i < 3; i++)
		hub_time_out(&f->hub, &park(f, i, sets[i])->waiter);
	replace_log(f, OTHER_LOG, 3, "room_1");
	start_another_log(f, 3);
	for (int i = 0; i < 3; i++) {
		struct client *a = park(f, i, sets[i]);

		hub_time_out(&f->hub, &a->waiter);
		assert_got(a, 2, "");
		assert_int_equal(a->delivery->cursor.log, OTHER_LOG);
	}
}

/* As after rooms were renamed. */
static void the_same_log_resets_no_feed(void **state)
{
	static const char *const sets[] = {"room_1,room_2", "*"};
	struct fixture *f = *state;

	say_many(f, "room_1", 3);
	for (int i = 0; i < 2; i++)
		park(f, i, sets[i]);
	save(f, "room_2");
	start_another_log(f, 2);
	run_reads(f);
	for (int i = 0; i < 2; i++) {
		assert_got(client_of(f, i), 1, "4 ");
		assert_false(client_of(f, i)->reset);
	}
}

/* Rooms of which the window has nothing are not known by then. */
static void a_read_from_before_a_refill_is_not_used(void **state)
{
	static const char *const sets[] = {"room_1,room_2", "*"};
	struct fixture *f = *state;

	say_many(f, "room_1", 3);
	drop_window(f);
	for (int i = 0; i < 2; i++)
		ask(client_of(f, i), sets[i], "1");
	for (int i = 0; i < 2; i++)
		perform_next(&f->log);
	remove_saved(f, 3);
	start_another_log(f, 1);
	run_reads(f);
	look(f);
	run_reads(f);
	for (int i = 0; i < 2; i++) {
		assert_got(client_of(f, i), 1, "2 ");
		assert_gaps(client_of(f, i), "\"room_1\"");
	}
}

static void an_old_read_does_not_take_back_what_is_known(void **state)
{
	struct fixture *f = *state;

	say_many(f, "room_1", 3);
	know(f, "room_1");
	drop_window(f);
	ask(client_of(f, 1), "room_1,room_2", "1");
	perform_next(&f->log);
	remove_message(f, 1);
	run_reads(f);
	assert_got(client_of(f, 1), 1, "2 3 ");
	park(f, 2, "room_1");
	say(f, "room_1");
	assert_int_equal(earliest_of(client_of(f, 2)), 2);
}

/* ---- Timeouts, and the end ---- */

static void a_time_out_of_several_loses_nothing(void **state)
{
	static const char *const sets[] = {"room_1,room_2", "*"};
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		struct client *a = park(f, i, sets[i]);

		say(f, "lobby");
		if (a->answers > 0)
			ask_again(a);
		a->answers = 0;
		assert_true(hub_time_out(&f->hub, &a->waiter));
		assert_got(a, 1, "");
		say(f, "room_2");
		ask_again(a);
		assert_int_equal(a->count, 1);
		drop_window(f);
		ask_after(a, sets[i], 0);
		assert_false(hub_time_out(&f->hub, &a->waiter));
		run_reads(f);
		assert_int_equal(a->answers, 3);
		assert_true(a->count > 0);
		ask_again(a);
		a->waiter.must_answer = true;
		if (a->waiter.state == WAITER_PARKED)
			hub_time_out(&f->hub, &a->waiter);
		assert_got(a, 4, "");
	}
}

static void drained_ones_of_several_can_come_back(void **state)
{
	static const char *const sets[] = {"room_1,room_2", "*"};
	struct fixture *f = *state;

	say_many(f, "room_1", 3);
	drop_window(f);
	for (int i = 0; i < 2; i++)
		park(f, i, sets[i]);
	for (int i = 0; i < 2; i++) {
		ask(client_of(f, i + 2), sets[i], "1");
		assert_state(client_of(f, i + 2), WAITER_READING);
	}
	hub_drain(&f->hub, 4);
	for (int i = 0; i < 4; i++) {
		struct client *a = client_of(f, i);

		hub_drain_waiter(&f->hub, &a->waiter);
		assert_got(a, 1, "");
		assert_true(a->retry_ms > 0);
		assert_int_equal(a->delivery->cursor.id, i < 2 ? 3 : 1);
		/* Not parked any more. */
		ask_again(a);
		assert_got(a, 2, "");
		assert_true(a->retry_ms > 0);
	}
	run_reads(f);
}

/* ---- Handlers that act ---- */

static void streams_of_several_get_each_batch_once(void **state)
{
	static const char *const sets[] = {"room_1,room_2", "*", "room_2",
	                                   "lobby,room_2"};
	struct fixture *f = *state;

	for (int i = 0; i < CLIENTS; i++) {
		park(f, i, sets[(size_t)i % LENGTH(sets)]);
		client_of(f, i)->then = ask_again;
	}
	for (int round = 1; round <= 50; round++) {
		save(f, "room_2");
		save(f, "room_2");
		look(f);
		for (int i = 0; i < CLIENTS; i++) {
			struct client *c = client_of(f, i);
			const struct client *first =
				client_of(f, i % (int)LENGTH(sets));

			assert_int_equal(c->answers, round);
			assert_int_equal(c->count, 2);
			assert_ptr_equal(c->delivery, first->delivery);
			assert_state(c, WAITER_PARKED);
		}
	}
}

/* The client follows other rooms from where its delivery ended. */
static void ask_for_other_rooms(struct client *c)
{
	char *cursor = memory_copy(c->cursor, strlen(c->cursor));

	c->then = NULL;
	ask(c, "lobby,room_2", cursor);
	free(cursor);
}

static void changing_feeds_repeats_nothing(void **state)
{
	struct fixture *f = *state;
	struct client *a = park(f, 0, "room_1");
	struct client *b = park(f, 1, "room_2,lobby");

	hub_leave(&f->hub, &park(f, 2, "room_1,lobby")->waiter);
	a->then = ask_for_other_rooms;
	save(f, "room_1");
	save(f, "room_2");
	save(f, "lobby");
	look(f);
	assert_got(b, 1, "2 3 ");
	assert_int_equal(a->answers, 1);
	assert_state(a, WAITER_PARKED);
	say(f, "lobby");
	assert_got(a, 2, "4 ");
}

/* Holds feeds of many rooms for a moment, so that feeds that have been idle for
 * longer are dropped. */
static void press_idle_feeds(struct fixture *f, int count)
{
	for (int i = 0; i < count; i++) {
		struct buffer rooms = {0};

		for (int room = 0; room < ROOMS_MOST; room++)
			buffer_printf(&rooms, "%sr%d_%d", room > 0 ? "," : "", i,
			              room);
		buffer_add(&rooms, "", 1);
		hub_drop_feed(&f->hub, hold(f, rooms.data, NULL));
		buffer_release(&rooms);
	}
}

enum { FEEDS_KEPT = FEEDS_IDLE_ROOMS / ROOMS_MOST };

static void drop_the_others(struct client *c)
{
	struct fixture *f = c->fixture;

	for (int i = 0; i < CLIENTS; i++)
		hub_leave(&f->hub, &client_of(f, i)->waiter);
	press_idle_feeds(f, FEEDS_KEPT + 1);
}

/* Any of them may be first. */
static void a_handler_may_drop_feeds(void **state)
{
	static const char *const sets[] = {"room_1,room_2", "room_1", "*",
	                                   "room_1,lobby", "room_1,room_2,lobby"};
	struct fixture *f = *state;

	for (int first = 0; first < (int)LENGTH(sets); first++) {
		for (int i = 0; i < (int)LENGTH(sets); i++) {
			park(f, i, sets[(first + i) % (int)LENGTH(sets)]);
			client_of(f, i)->answers = 0;
			client_of(f, i)->then = drop_the_others;
		}
		say(f, "room_1");
		int answers = 0;
		for (int i = 0; i < (int)LENGTH(sets); i++) {
			assert_state(client_of(f, i), WAITER_IDLE);
			answers += client_of(f, i)->answers;
		}
		assert_int_equal(answers, 1);
	}
}

static void leave_alone(struct client *c)
{
	for (int i = 0; i < CLIENTS; i++)
		if (client_of(c->fixture, i) != c)
			hub_leave(&c->fixture->hub,
			          &client_of(c->fixture, i)->waiter);
}

static void a_handler_may_drop_those_behind(void **state)
{
	struct fixture *f = *state;

	for (int change = 0; change < 2; change++) {
		for (int i = 0; i < CLIENTS; i++) {
			park(f, i, i % 2 > 0 ? "room_1,room_2" : "room_1");
			client_of(f, i)->then = drop_the_others;
			client_of(f, i)->answers = 0;
		}
		int64_t id = save(f, "room_1");
		if (change > 0) {
			remove_saved(f, id);
			look(f);
			tell_change(f, "room_1", false);
			run_reads(f);
		}
		look(f);
		int answers = 0;
		for (int i = 0; i < CLIENTS; i++) {
			answers += client_of(f, i)->answers;
			assert_state(client_of(f, i), WAITER_IDLE);
		}
		assert_int_equal(answers, 1);
	}
}

static void others_may_leave_during_a_read(void **state)
{
	struct fixture *f = *state;

	say(f, "room_1");
	drop_window(f);
	for (int failing = 0; failing < 2; failing++) {
		f->log.failing = failing > 0;
		for (int i = 0; i < CLIENTS; i++) {
			ask(client_of(f, i), "room_1,room_2", "0");
			client_of(f, i)->then = leave_alone;
			client_of(f, i)->answers = 0;
		}
		run_reads(f);
		assert_int_equal(client_of(f, 0)->answers, 1);
		for (int i = 1; i < CLIENTS; i++)
			assert_int_equal(client_of(f, i)->answers, 0);
		assert_int_equal(f->hub.reads, 0);
	}
}

/* ---- Memory ---- */

static void idle_feeds_are_limited(void **state)
{
	struct fixture *f = *state;
	struct feed *held = hold(f, "room_1,room_2", NULL);

	press_idle_feeds(f, 2 * FEEDS_KEPT);
	assert_int_equal(f->hub.feeds.idle_rooms, FEEDS_IDLE_ROOMS);
	assert_int_equal(f->hub.feeds.count, FEEDS_KEPT + 1);
	assert_true(f->hub.rooms.count <=
	            2 + FEEDS_IDLE_ROOMS + ROOMS_IDLE_MAX);
	/* The longest idle ones go. */
	struct feed *newest = LIST_OWNER(f->hub.feeds.idle.previous, struct feed,
	                                 idle);
	hub_hold_again(&f->hub, newest);
	assert_int_equal(f->hub.feeds.idle_rooms, FEEDS_IDLE_ROOMS - ROOMS_MOST);
	press_idle_feeds(f, FEEDS_KEPT + 1);
	assert_int_equal(newest->users, 1);
	hub_drop_feed(&f->hub, newest);
	assert_ptr_equal(hold(f, "room_2,room_1", NULL), held);
	hub_drop_feed(&f->hub, held);
	hub_drop_feed(&f->hub, held);
}

/* Names of rooms that may not be read, as long as they can be. */
static void add_forbidden(struct buffer *b, int number)
{
	for (int i = 1; i < ROOMS_MOST; i++)
		buffer_printf(b, "%s\"f%062d\"", i > 1 ? "," : "",
		              number * ROOMS_MOST + i);
	buffer_add(b, "", 1);
}

/* They take more memory than the one room of the feed. */
static void long_idle_feeds_are_fewer(void **state)
{
	struct fixture *f = *state;
	size_t bytes = 0;

	for (int i = 0; i < FEEDS_IDLE_ROOMS; i++) {
		struct buffer forbidden = {0};

		add_forbidden(&forbidden, i);
		hub_drop_feed(&f->hub, hold(f, "lobby", forbidden.data));
		buffer_release(&forbidden);
	}
	for (struct list *at = f->hub.feeds.idle.next;
	     at != &f->hub.feeds.idle; at = at->next)
		bytes += LIST_OWNER(at, struct feed, idle)->forbidden.size;
	assert_in_range(bytes, 1, FEEDS_IDLE_ROOMS * sizeof(struct room));
	/* What was counted for each is counted back. */
	press_idle_feeds(f, 2 * FEEDS_KEPT);
	assert_int_equal(f->hub.feeds.idle_rooms, FEEDS_IDLE_ROOMS);
	assert_int_equal(f->hub.feeds.count, FEEDS_KEPT);
}

static void a_left_feed_holds_nothing(void **state)
{
	struct fixture *f = *state;
	struct room_name name = room_named("room_1");

	for (int i = 0; i < CLIENTS; i++)
		park(f, i, i % 2 > 0 ? "room_1,room_2" : "room_1");
	for (int i = 0; i < CLIENTS; i++)
		hub_leave(&f->hub, &client_of(f, i)->waiter);
	assert_int_equal(f->hub.feeds.idle_rooms, 2);
	assert_int_equal(rooms_find(&f->hub.rooms, &name)->users, 1);
	press_idle_feeds(f, FEEDS_KEPT);
	assert_int_equal(rooms_find(&f->hub.rooms, &name)->users, 0);
}

/* Long enough for two of them to exceed the limit of what is cached. */
static void say_at_length(struct fixture *f, const char *room)
{
	struct room_name name = room_named(room);
	struct buffer json = {0};
	int64_t id = save(f, room);

	buffer_printf(&json, "{\"name\":\"%" PRId64 "\",\"content\":\"%0*d\"}",
	              id, WINDOW_BYTES * 3 / 8, 0);
	hub_append(&f->hub, &name, id, buffer_text(&json));
	hub_deliver(&f->hub);
	buffer_release(&json);
}

static void long_pages_of_many_sets_have_their_turns(void **state)
{
	struct fixture *f = *state;
	struct client *first = park(f, 0, "room_1,room_2");
	struct client *second = park(f, 1, "room_1,lobby");
	struct client *room = park(f, 2, "room_1");
	/* Their cursors are before the window, but they lack nothing. */
	say_many(f, "board", 3);
	drop_window(f);
	struct client *all = park(f, 3, "*");
	int reads = f->log.asked;

	say_at_length(f, "room_1");
	assert_got(first, 1, "4 ");
	assert_got(room, 1, "4 ");
	assert_got(all, 1, "4 ");
	assert_state(second, WAITER_QUEUED);
	assert_true(hub_needs_share(&f->hub));
	assert_false(hub_go_on(&f->hub));
	assert_got(second, 1, "4 ");
	assert_int_equal(f->log.asked, reads);
	/* What the window can't keep is given before it is dropped. */
	hub_set_limits(&f->hub, WINDOW_BYTES / 4, 100);
	park(f, 0, "room_1,room_2");
	park(f, 1, "room_1,lobby");
	say_at_length(f, "room_1");
	assert_state(first, WAITER_IDLE);
	assert_state(second, WAITER_IDLE);
}

static void cached_deliveries_are_limited_in_bytes(void **state)
{
	static const char *const sets[] = {"room_1,lobby", "room_2,lobby", "*",
	                                   "lobby", "room_1,room_2,lobby"};
	struct fixture *f = *state;
	const struct delivery_cache *cache = &f->hub.rooms.cache;

	for (size_t i = 0; i < LENGTH(sets); i++)
		know(f, sets[i]);
	say_at_length(f, "lobby");
	for (size_t i = 0; i < LENGTH(sets); i++) {
		do
			hub_go_on(&f->hub);
		while (hub_needs_share(&f->hub));
		assert_gets(f, 1, sets[i], 0, "1 ");
		assert_true(cache->bytes <= cache->limit_bytes);
		assert_int_equal(list_length(&cache->caching), 1);
	}
	hub_forget_old(&f->hub, clock_monotonic_ms() + FEED_DELIVERY_LIFE_MS + 1);
	assert_int_equal(cache->bytes, 0);
	assert_true(list_is_empty(&cache->caching));
}

/* Each has a page of its own, with nothing but the names in it. */
static void cached_names_are_limited_in_bytes(void **state)
{
	struct fixture *f = *state;
	const struct delivery_cache *cache = &f->hub.rooms.cache;

	for (int i = 0; i < CLIENTS; i++) {
		struct client *c = client_of(f, i);
		struct buffer forbidden = {0};

		add_forbidden(&forbidden, i);
		struct feed *feed = hold(f, "lobby", forbidden.data);
		c->waiter.from_now = c->waiter.must_answer = true;
		hub_ask(&f->hub, &c->waiter, feed);
		run_reads(f);
		hub_drop_feed(&f->hub, feed);
		buffer_release(&forbidden);
		assert_int_equal(c->answers, 1);
	}
	assert_in_range(cache->bytes, CLIENTS * (ROOMS_MOST - 1) * 64,
	                cache->limit_bytes);
	hub_forget_old(&f->hub, clock_monotonic_ms() + FEED_DELIVERY_LIFE_MS + 1);
	assert_int_equal(cache->bytes, 0);
}

/* ---- A long random load ---- */

enum {
	STEPS = 60000,
	SMALL_WINDOW = 9000,
	LOG_MOST = 300, /* then it is replaced */
	UNSAVED_MOST = STEPS,
	MODEL_ROOMS = 5,
	PAGE_MOST = 5,
};

static const char *const model_rooms[MODEL_ROOMS] = {
	"room_1", "room_2", "lobby", "room_3", "elsewhere"};

static const struct {
	const char *rooms;
	unsigned mask; /* bits of model_rooms */
	const char *forbidden;
	bool streams; /* asks again from within the handler */
} model_clients[CLIENTS] = {
	{"room_1", 1, NULL, false},
	{"room_1,room_2", 3, NULL, false},
	{"*", 31, NULL, false},
	{"lobby,room_1", 5, NULL, true},
	{"room_2,room_1", 3, NULL, true},
	{"lobby", 4, NULL, true},
	{"*", 31, NULL, true},
	{"room_3,room_2,lobby", 14, NULL, false},
	{"room_1,room_2", 3, "\"board\"", false},
	{"room_3", 8, "\"board\"", true},
	{"lobby,room_3,room_2,room_1", 15, NULL, true},
	{"elsewhere,room_2", 18, NULL, false},
};

/* What a client has seen. */
struct follower {
	struct cursor at;
	uint32_t log; /* of the last page */
	int64_t owed[MODEL_ROOMS]; /* the highest id that it has missed, of which
	                            * no gap was told yet; 0: none */
	bool went; /* it left, and has not come back */
};

/* What happened to a message, and what the hub was told of. */
struct fate {
	bool unseen; /* removed before the hub had it */
	bool told_removed;
	int told_version;
};

struct model {
	struct fixture *f;
	struct random random;
	struct follower followers[CLIENTS];
	struct fate fates[MESSAGES_MAX];
	struct {
		int room;
		int64_t position;
	} unsaved[UNSAVED_MOST + 1]; /* from 1 */
	int64_t lost_unsaved; /* the window was cleared up to this position */
	bool removed[MODEL_ROOMS], edited[MODEL_ROOMS]; /* and not told yet */
	bool upheaval;
	int logs;
	int64_t delivered, gaps, resets, empty, pages_of_log, refused;
};

static struct model model; /* handlers know their client only */

static int room_of(const struct room_name *name)
{
	int room = 0;

	while (strcmp(model_rooms[room], name->string) != 0)
		room++;
	return room;
}

static struct saved *saved_at(int64_t id)
{
	return &model.f->log.messages[id - 1];
}

static bool is_followed(int which, int room)
{
	return (model_clients[which].mask >> room & 1) != 0;
}

static int64_t highest_removed(int room, int64_t after, int64_t upto)
{
	while (upto > after && (!saved_at(upto)->removed ||
	                        room_of(&saved_at(upto)->room) != room))
		upto--;
	return upto > after ? upto : 0;
}

/* The oldest position of those in no log that the window still has. */
static int64_t oldest_position(void)
{
	const struct entry *entry =
		sequence_at(&model.f->hub.window.whole.unlogged, 0);

	return entry != NULL ? entry->position : INT64_MAX;
}

static void check_version(int64_t id, int version)
{
	const struct fate *fate = &model.fates[id - 1];
	bool is_of_read = model.f->log.given != NULL;

	expect(version <= saved_at(id)->version &&
	               (is_of_read || version >= fate->told_version),
	       "%" PRId64 " as it was in version %d, not %d", id, version,
	       fate->told_version);
	expect(!saved_at(id)->removed || is_of_read || !fate->told_removed,
	       "%" PRId64 " was removed", id);
}

/* The messages of a client's rooms that are missing before the next one. */
static void miss(int which, int64_t after, int64_t before)
{
	struct follower *r = &model.followers[which];

	for (int64_t id = after + 1; id < before; id++) {
		int room = room_of(&saved_at(id)->room);

		if (!is_followed(which, room) || saved_at(id)->foreign)
			continue;
		expect(saved_at(id)->removed, "%s: %" PRId64 " is missing",
		       model_clients[which].rooms, id);
		if (!model.fates[id - 1].unseen)
			r->owed[room] = id;
	}
}

/* All unsaved ones between two of their numbers that the client had to get. */
static void miss_unsaved(int which, int after, int before, int64_t from,
                         int64_t upto)
{
	int64_t oldest = oldest_position();

	for (int number = after + 1; number < before; number++) {
		int64_t position = model.unsaved[number].position;

		expect(!is_followed(which, model.unsaved[number].room) ||
		               position <= from || position > upto ||
		               position < oldest ||
		               position <= model.lost_unsaved,
		       "%s: u%d is missing", model_clients[which].rooms, number);
	}
}

static void check_names(int which, struct client *c, const struct cursor *end)
{
	const struct cursor at = model.followers[which].at;
	bool is_of_read = model.f->log.given != NULL;
	int64_t last = at.id, last_position = 0;
	int last_unsaved = 0;
	char *rest, *name;

	buffer_add(&c->names, "", 1);
	for (name = strtok_r(c->names.data, " ", &rest); name != NULL;
	     name = strtok_r(NULL, " ", &rest)) {
		int64_t position;
		int room;

		if (name[0] == 'u') {
			int number = atoi(name + 1);

			room = model.unsaved[number].room;
			position = model.unsaved[number].position;
			expect(number > last_unsaved && position > at.position &&
			               position <= end->position,
			       "%s: %s", model_clients[which].rooms, name);
			miss_unsaved(which, last_unsaved, number, at.position,
			             end->position);
			last_unsaved = number;
		} else {
			const char *version = strchr(name, '.');
			int64_t id = atoll(name);

			expect(id > last && id <= end->id, "%s: %s after %" PRId64,
			       model_clients[which].rooms, name, last);
			check_version(id, version != NULL ? atoi(version + 1) : 0);
			miss(which, last, id);
			last = id;
			room = room_of(&saved_at(id)->room);
			position = saved_at(id)->position;
			model.delivered++;
		}
		expect(is_followed(which, room), "%s: %s",
		       model_clients[which].rooms, name);
		expect(is_of_read || position > last_position,
		       "%s: %s is out of order", model_clients[which].rooms, name);
		last_position = position;
	}
	miss(which, last, end->id + 1);
	miss_unsaved(which, last_unsaved, model.f->unsaved + 1, at.position,
	             end->position);
	buffer_clear(&c->names);
}

static bool is_named(const struct client *c, int room)
{
	struct text gaps = buffer_text(&c->delivery->gap_rooms);
	char all[128], name[32];

	if (!c->delivery->is_several)
		return c->gap;
	snprintf(all, sizeof all, "%.*s", TEXT_ARGS(gaps));
	snprintf(name, sizeof name, "\"%s\"", model_rooms[room]);
	return c->gap && strstr(all, name) != NULL;
}

/* Of several rooms, the read that found it knew of none that is higher. */
static void check_place_of_gap(int room, const struct cursor *end)
{
	const struct log_read *read = model.f->log.given;

	expect(read != NULL, "a gap in a page of the window");
	for (size_t i = 0; i < read->room_count; i++)
		if (read->kind == READ_ROOMS &&
		    room_of(&read->rooms[i]) == room)
			expect(read->states[i].pruned <= end->id,
			       "%s: told too early", model_rooms[room]);
}

static void check_gaps(int which, const struct client *c, const struct cursor *end)
{
	struct follower *r = &model.followers[which];

	for (int room = 0; room < MODEL_ROOMS; room++) {
		int64_t all = highest_removed(room, 0, model.f->log.newest);

		if (is_followed(which, room) && is_named(c, room)) {
			model.gaps++;
			check_place_of_gap(room, end);
			expect(highest_removed(room, r->at.id, end->id) > 0,
			       "%s: no gap in %s", model_clients[which].rooms,
			       model_rooms[room]);
			r->owed[room] = 0;
		}
		expect(r->owed[room] == 0 || end->id < all,
		       "%s: %" PRId64 " was passed without a gap",
		       model_clients[which].rooms, r->owed[room]);
		expect(is_followed(which, room) || !c->delivery->is_several ||
		               !is_named(c, room),
		       "%s: a gap in %s", model_clients[which].rooms,
		       model_rooms[room]);
	}
}

static void check_reset(int which, struct client *c, const struct cursor *end)
{
	struct follower *r = &model.followers[which];

	/* The hub names its log in the cursor of a client with an id alone. */
	expect(c->waiter.cursor.log != end->log ||
	               r->at.id > model.f->hub.newest,
	       "%s: reset for nothing", model_clients[which].rooms);
	model.resets++;
	memset(r->owed, 0, sizeof r->owed);
	if (c->delivery->is_several) {
		assert_int_equal(c->count, 0);
		assert_false(c->gap || c->more);
		assert_int_equal(end->id, model.f->hub.newest);
		buffer_clear(&c->names);
		return;
	}
	/* The newest page: all from its first message on. */
	r->at = (struct cursor){.id = end->id, .position = end->position};
	if (c->count > 0)
		r->at.id = atoll(c->names.data) - 1;
	check_names(which, c, end);
	memset(r->owed, 0, sizeof r->owed);
}

static void follow(int which);

/* Another one leaves, whatever it waits for, and will come back. */
static void let_one_leave(void)
{
	int which = (int)random_below(&model.random, CLIENTS);
	struct client *c = client_of(model.f, which);

	if (c->waiter.state == WAITER_IDLE)
		return;
	hub_leave(&model.f->hub, &c->waiter);
	model.followers[which].went = true;
}

static void take_into_account(struct client *c)
{
	int which = (int)(c - model.f->clients);
	struct follower *r = &model.followers[which];
	const char *forbidden = model_clients[which].forbidden;

	if (random_below(&model.random, 16) == 0)
		let_one_leave();
	if (c->status != 200) {
		assert_int_equal(c->status, 503);
		model.refused++;
		return;
	}
	struct cursor end = c->delivery->cursor;
	if (end.log != r->log)
		memset(r->owed, 0, sizeof r->owed);
	r->log = end.log;
	if (c->delivery->is_several)
		assert_text(buffer_text(&c->delivery->forbidden),
		            forbidden != NULL ? forbidden : "");
	if (c->reset) {
		check_reset(which, c, &end);
	} else {
		/* Of a log that was replaced, nothing is left to compare with. */
		expect(!r->at.names_log || r->at.log == end.log,
		       "%s: not reset", model_clients[which].rooms);
		expect(end.id >= r->at.id && end.position >= r->at.position,
		       "%s: a step back", model_clients[which].rooms);
		if (end.log == model.f->log.log) {
			check_names(which, c, &end);
			check_gaps(which, c, &end);
		}
	}
	model.pages_of_log += model.f->log.given != NULL;
	model.empty += c->count == 0;
	r->at = end;
	if (model_clients[which].streams)
		follow(which);
}

/* Asks from where the client is, if it does not wait. */
static void follow(int which)
{
	struct client *c = client_of(model.f, which);
	struct follower *r = &model.followers[which];
	struct buffer cursor = {0};

	if (c->waiter.state != WAITER_IDLE)
		return;
	r->went = false;
	if (!r->at.names_log) {
		r->at.position = model.f->hub.window.position;
		ask_after(c, model_clients[which].rooms, r->at.id);
		return;
	}
	cursor_render(&r->at, &cursor);
	buffer_add(&cursor, "", 1);
	ask(c, model_clients[which].rooms, cursor.data);
	buffer_release(&cursor);
}

/* As a client that keeps only an id. */
static void come_anew(int which)
{
	struct follower *r = &model.followers[which];

	if (r->at.log != model.f->log.log || r->at.log != model.f->hub.log)
		return;
	hub_leave(&model.f->hub, &client_of(model.f, which)->waiter);
	r->at = (struct cursor){.id = r->at.id};
	follow(which);
}

static void note_unsaved(int room)
{
	model.unsaved[model.f->unsaved + 1].room = room;
	model.unsaved[model.f->unsaved + 1].position =
		model.f->hub.window.position + 1;
	if (random_below(&model.random, 3) > 0)
		say_signal(model.f, model_rooms[room]);
	else
		say_unsaved(model.f, model_rooms[room]);
}

static void save_one(int room)
{
	struct fixture *f = model.f;

	if (f->log.newest >= LOG_MOST)
		return;
	model.fates[f->log.newest] = (struct fate){.unseen = false};
	/* As a frame of the bus: taken if it continues what the hub holds. */
	if (random_below(&model.random, 2) == 0 && f->hub.ready &&
	    f->hub.log == f->log.log && f->hub.newest == f->log.newest) {
		say(f, model_rooms[room]);
		return;
	}
	save(f, model_rooms[room]);
	saved_at(f->log.newest)->foreign = random_below(&model.random, 8) == 0;
}

/* One of the last, or any. */
static void harm_one(void)
{
	struct log_reader *log = &model.f->log;
	size_t among = random_below(&model.random, 3) == 0 ? LOG_MOST : 12;
	int64_t id = log->newest - (int64_t)random_below(&model.random, among);

	if (id < 1 || saved_at(id)->removed || saved_at(id)->foreign)
		return;
	int room = room_of(&saved_at(id)->room);
	if (random_below(&model.random, 2) == 0) {
		saved_at(id)->version++;
		model.edited[room] = true;
		return;
	}
	saved_at(id)->removed = true;
	model.fates[id - 1].unseen =
		log->log != model.f->hub.log || id > model.f->hub.newest;
	model.removed[room] = true;
	/* Not only the oldest of its room. */
	for (int64_t before = 1; before < id; before++)
		if (room_of(&saved_at(before)->room) == room &&
		    !saved_at(before)->removed)
			model.edited[room] = true;
}

static void note_told(int room)
{
	for (int64_t id = 1; id <= model.f->log.newest; id++) {
		if (room_of(&saved_at(id)->room) != room)
			continue;
		model.fates[id - 1].told_removed = saved_at(id)->removed;
		model.fates[id - 1].told_version = saved_at(id)->version;
	}
	model.removed[room] = model.edited[room] = false;
}

static void tell_changes(void)
{
	struct hub *hub = &model.f->hub;

	if (!hub->ready || hub->log != model.f->log.log || model.upheaval)
		return;
	for (int room = 0; room < MODEL_ROOMS; room++) {
		bool edited = model.edited[room];

		if (!edited && !model.removed[room])
			continue;
		note_told(room);
		tell_change(model.f, model_rooms[room], edited);
	}
}

/* The window is refilled from somewhere on. */
static void start_over(void)
{
	struct fixture *f = model.f;
	int64_t from = (int64_t)random_below(&model.random,
	                                     (size_t)f->log.newest + 1);

	/* The tail is read anew. */
	f->look_saw = f->log.newest;
	for (int room = 0; room < MODEL_ROOMS; room++)
		note_told(room);
	for (int64_t id = 1; id <= f->log.newest; id++)
		saved_at(id)->position = 0;
	model.lost_unsaved = f->hub.window.position;
	model.upheaval = false;
	hub_start_over(&f->hub, f->log.log, from);
}

static void finish_look(void)
{
	if (model.f->hub.log != model.f->log.log || model.upheaval)
		start_over();
	end_look(model.f);
	if (random_below(&model.random, 2) == 0)
		tell_changes();
}

/* Another log, of which the hub knows nothing yet. */
static void replace_model_log(void)
{
	struct log_reader *log = &model.f->log;
	int count = (int)random_below(&model.random, 60);

	log->log = LOG + (uint32_t)++model.logs;
	log->newest = 0;
	for (int i = 0; i < count; i++) {
		size_t room = random_below(&model.random, MODEL_ROOMS);

		model.fates[log->newest] = (struct fate){.unseen = false};
		save(model.f, model_rooms[room]);
		saved_at(log->newest)->version = 1000 * model.logs;
	}
	memset(model.removed, 0, sizeof model.removed);
	memset(model.edited, 0, sizeof model.edited);
	model.f->looking = false;
}

static void take_rare_step(void)
{
	struct fixture *f = model.f;

	switch (random_below(&model.random, 8)) {
	case 0:
		if (f->log.newest > LOG_MOST / 2)
			replace_model_log();
		break;
	case 1:
		model.upheaval = random_below(&model.random, 8) == 0;
		break;
	case 2:
		f->log.failing = random_below(&model.random, 4) == 0;
		break;
	case 3:
		drop_window(f);
		break;
	case 4:
		hub_set_limits(&f->hub,
		               (int64_t)random_below(&model.random, SMALL_WINDOW),
		               INT64_MAX);
		break;
	case 5:
		hub_forget_old(&f->hub, clock_monotonic_ms() + 2000);
		break;
	case 6:
		f->log.page_most =
			(int64_t)random_below(&model.random, PAGE_MOST + 1);
		break;
	default:
		hub_go_on(&f->hub);
	}
}

static void take_step(void)
{
	struct fixture *f = model.f;
	int room = (int)random_below(&model.random, MODEL_ROOMS);
	int which = (int)random_below(&model.random, CLIENTS);

	switch (random_below(&model.random, 24)) {
	case 22:
		if (random_below(&model.random, 3) == 0)
			hub_give_due(&f->hub, INT64_MAX);
		break;
	case 0:
	case 1:
	case 2:
		save_one(room);
		break;
	case 3:
	case 23:
		note_unsaved(room);
		break;
	case 4:
	case 5:
		begin_look(f);
		break;
	case 6:
	case 7:
		if (f->looking)
			finish_look();
		break;
	case 8:
	case 9:
		perform_next(&f->log);
		break;
	case 10:
	case 11:
		give_back(&f->log);
		break;
	case 12:
		if (client_of(f, which)->waiter.state != WAITER_IDLE)
			hub_time_out(&f->hub, &client_of(f, which)->waiter);
		break;
	case 13:
		if (random_below(&model.random, 5) == 0)
			come_anew(which);
		break;
	case 14:
		harm_one();
		break;
	case 15:
		tell_changes();
		break;
	case 16:
		if (random_below(&model.random, 5) == 0)
			take_rare_step();
		break;
	default:
		follow(which);
	}
}

static bool are_all_parked(void)
{
	for (int i = 0; i < CLIENTS; i++)
		if (client_of(model.f, i)->waiter.state != WAITER_PARKED)
			return false;
	return true;
}

/* Until no client lacks anything. */
static void settle(void)
{
	struct fixture *f = model.f;

	f->log.failing = false;
	for (int round = 0; round < LOG_MOST; round++) {
		begin_look(f);
		finish_look();
		tell_changes();
		run_reads(f);
		hub_go_on(&f->hub);
		for (int i = 0; i < CLIENTS; i++)
			follow(i);
		hub_give_due(&f->hub, INT64_MAX);
		if (are_all_parked())
			return;
	}
	expect(false, "a client does not come to rest");
}

static void check_that_none_lacks(int which)
{
	struct follower *r = &model.followers[which];

	assert_true(!r->at.names_log || r->at.log == model.f->hub.log);
	for (int64_t id = r->at.id + 1; id <= model.f->log.newest; id++)
		expect(!is_followed(which, room_of(&saved_at(id)->room)) ||
		               saved_at(id)->removed || saved_at(id)->foreign,
		       "%s: ends before %" PRId64, model_clients[which].rooms,
		       id);
	for (int room = 0; room < MODEL_ROOMS; room++)
		assert_int_equal(r->owed[room], 0);
}

static void disorder_loses_nothing_of_several(void **state)
{
	struct fixture *f = *state;

	model = (struct model){.f = f, .random = random_from(SEED)};
	hub_set_limits(&f->hub, SMALL_WINDOW, INT64_MAX);
	for (int i = 0; i < CLIENTS; i++) {
		client_of(f, i)->forbidden = model_clients[i].forbidden;
		client_of(f, i)->then = take_into_account;
		client_of(f, i)->waiter.is_patient = !model_clients[i].streams;
	}
	for (int i = 0; i < STEPS; i++)
		take_step();
	settle();
	for (int i = 0; i < CLIENTS; i++) {
		check_that_none_lacks(i);
		hub_leave(&f->hub, &client_of(f, i)->waiter);
	}
	run_reads(f);
	assert_int_equal(f->hub.reads, 0);
	assert_int_equal(f->hub.feeds.of_all->users, 0);
	assert_int_equal(list_length(&f->hub.feeds.idle), f->hub.feeds.count);
	/* So the load was what it should be. */
	print_message("# delivered %" PRId64 " gaps %" PRId64 " resets %" PRId64
	              " empty %" PRId64 " from the log %" PRId64
	              " refused %" PRId64 "\n",
	              model.delivered, model.gaps, model.resets, model.empty,
	              model.pages_of_log, model.refused);
	assert_true(model.delivered > 1000 && model.gaps > 100 &&
	            model.resets > 20 && model.pages_of_log > 1000 &&
	            model.refused > 20);
}

int run_feeds(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_HUB("a message in any of a client's rooms wakes it, once",
	                 a_message_in_any_room_wakes_once),
		WITH_HUB("a batch of several rooms arrives in one delivery, in "
	                 "the log's order",
	                 a_batch_comes_in_one_delivery),
		WITH_HUB("many rooms arrive in the log's order",
	                 many_rooms_come_in_the_logs_order),
		WITH_HUB("all rooms include those that come to be later",
	                 all_rooms_include_later_ones),
		WITH_HUB("a client is told which rooms it may not read",
	                 forbidden_rooms_are_told),
		WITH_HUB("one room may be left of several",
	                 one_room_may_be_left),
		WITH_HUB("clients of equal sets share each delivery",
	                 equal_sets_share_deliveries),
		WITH_HUB("a cursor of several rooms is valid in others",
	                 a_cursor_of_several_serves_others),
		WITH_HUB("one read of the log serves all who queue for the same "
	                 "rooms",
	                 one_read_serves_a_feed),
		WITH_HUB("reads of several rooms count towards the limit",
	                 reads_are_limited_by_feed),
		WITH_HUB("the log is read only for what the window lacks",
	                 only_what_the_window_lacks_is_read),
		WITH_HUB("a page of several ends at 1000 messages",
	                 long_pages_of_several_end_at_a_thousand),
		WITH_HUB("clients of several are told of a failed read",
	                 a_failed_read_is_told_to_all),
		WITH_HUB("a refused client may ask again at once",
	                 refused_ones_may_ask_at_once),
		WITH_HUB("a gap names its rooms, to clients that lack something",
	                 gaps_are_named_by_room),
		WITH_HUB("a room's gap is reported in one page only",
	                 a_gap_is_told_in_one_page),
		WITH_HUB("a removal in another room needs no read of the log",
	                 other_rooms_removals_need_no_read),
		WITH_HUB("a removal in an unknown room is a gap of all rooms",
	                 an_unknown_rooms_removal_is_a_gap_of_all),
		WITH_HUB("what a room lost is read for clients of all rooms",
	                 the_whole_lacks_what_a_room_lost),
		WITH_HUB("a changed room is read again for clients of several",
	                 a_changed_room_is_read_for_several),
		WITH_HUB("parked clients of several are told of removals",
	                 parked_ones_are_told_of_unseen_removals),
		WITH_HUB("a cursor of another log is reset, without messages",
	                 several_are_reset_without_messages),
		WITH_HUB("when the log is replaced, clients of several are reset",
	                 another_log_resets_all_feeds),
		WITH_HUB("when the log is replaced, no delivery of it is kept",
	                 no_delivery_of_another_log_is_kept),
		WITH_HUB("when the window is refilled, no client is reset",
	                 the_same_log_resets_no_feed),
		WITH_HUB("a read from before the window was refilled answers no "
	                 "poll",
	                 a_read_from_before_a_refill_is_not_used),
		WITH_HUB("a read from before a removal takes nothing back",
	                 an_old_read_does_not_take_back_what_is_known),
		WITH_HUB("a timeout of several loses nothing",
	                 a_time_out_of_several_loses_nothing),
		WITH_HUB("drained clients of several can come back",
	                 drained_ones_of_several_can_come_back),
		WITH_HUB("streams of several get each batch once",
	                 streams_of_several_get_each_batch_once),
		WITH_HUB("a client that changes its rooms during delivery gets "
	                 "nothing twice",
	                 changing_feeds_repeats_nothing),
		WITH_HUB("a handler may free the feeds that are to be delivered",
	                 a_handler_may_drop_feeds),
		WITH_HUB("a handler may make all others leave",
	                 a_handler_may_drop_those_behind),
		WITH_HUB("a handler may make all others leave during a read",
	                 others_may_leave_during_a_read),
		WITH_HUB("a limited number of idle feeds is kept",
	                 idle_feeds_are_limited),
		WITH_HUB("of idle feeds with many forbidden rooms, fewer are kept",
	                 long_idle_feeds_are_fewer),
		WITH_HUB("long pages of many sets have their turns",
	                 long_pages_of_many_sets_have_their_turns),
		WITH_HUB("a feed without users holds its rooms no longer than it "
	                 "is kept",
	                 a_left_feed_holds_nothing),
		WITH_HUB("cached deliveries are limited in bytes",
	                 cached_deliveries_are_limited_in_bytes),
		WITH_HUB("names of forbidden rooms count as cached bytes",
	                 cached_names_are_limited_in_bytes),
		WITH_HUB("under long random load every client of several gets "
	                 "each message once, in order",
	                 disorder_loses_nothing_of_several),
	};

	return cmocka_run_group_tests_name("feeds", tests, NULL, NULL);
}
