/* Tests of the hub: which clients wait where, and what they get. feeds.c has those of
 * clients that follow several rooms. */
#include "hub_fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"

enum {
	PAGE_MESSAGES = 1000, /* PROTOCOL section 9 */
	SEED = 20261122,
};

/* ---- Waiting and being served ---- */

static void parked_waiters_share_one_answer(void **state)
{
	struct fixture *f = *state;
	struct client *a = park(f, 0, "room_1");
	struct client *b = park(f, 1, "room_1");

	say(f, "room_1");
	assert_got(a, 1, "1 ");
	assert_got(b, 1, "1 ");
	assert_ptr_equal(a->delivery, b->delivery);
	assert_false(a->more || a->gap || a->reset);
}

static void other_rooms_wake_no_waiter(void **state)
{
	struct fixture *f = *state;
	struct client *a = park(f, 0, "room_1");

	say(f, "room_11");
	say(f, "lobby");
	say_unsaved(f, "lobby");
	assert_int_equal(a->answers, 0);
	say(f, "room_1");
	assert_got(a, 1, "3 ");
}

static void messages_between_two_polls_come_together(void **state)
{
	struct fixture *f = *state;
	struct client *a = park(f, 0, "room_1");

	say(f, "room_1");
	say_many(f, "room_1", 3);
	ask_again(a);
	assert_got(a, 2, "2 3 4 ");
	ask_again(a);
	assert_state(a, WAITER_PARKED);
	assert_int_equal(f->log.asked, 1);
}

static void the_same_cursor_shares_a_page(void **state)
{
	struct fixture *f = *state;
	struct client *a = park(f, 0, "room_1");
	struct client *b = client_of(f, 1), *c = client_of(f, 2);

	say(f, "room_1");
	say(f, "room_1");
	ask(b, "room_1", a->cursor);
	ask(c, "room_1", a->cursor);
	assert_got(b, 1, "2 ");
	assert_ptr_equal(b->delivery, c->delivery);
	say(f, "room_1");
	ask(c, "room_1", a->cursor);
	assert_got(c, 2, "2 3 ");
}

static void two_cursors_in_a_room_get_what_each_lacks(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0), *b = client_of(f, 1);

	say_many(f, "room_1", 4);
	ask(a, "room_1", "1");
	ask(b, "room_1", "3");
	run_reads(f);
	assert_got(a, 1, "2 3 4 ");
	assert_got(b, 1, "4 ");
	ask(a, "room_1", "0");
	ask(b, "room_1", "2");
	assert_got(a, 2, "1 2 3 4 ");
	assert_got(b, 2, "3 4 ");
}

static void a_cursor_of_one_room_serves_another(void **state)
{
	struct fixture *f = *state;
	struct client *a = park(f, 0, "room_1");
	struct client *b = client_of(f, 1);

	say(f, "lobby");
	say(f, "room_1");
	say(f, "lobby");
	ask(b, "lobby", a->cursor);
	run_reads(f);
	assert_got(b, 1, "3 ");
}

static void now_is_the_end_of_the_log(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0);

	say_many(f, "room_1", 3);
	park(f, 0, "room_1");
	assert_true(hub_time_out(&f->hub, &a->waiter));
	assert_got(a, 1, "");
	say(f, "room_1");
	ask_again(a);
	assert_got(a, 2, "4 ");
}

/* ---- Unsaved messages ---- */

static void unsaved_messages_come_once(void **state)
{
	struct fixture *f = *state;
	struct client *a = park(f, 0, "room_1");

	say_unsaved(f, "room_1");
	assert_got(a, 1, "u1 ");
	ask_again(a);
	assert_state(a, WAITER_PARKED);
	say(f, "room_1");
	assert_got(a, 2, "1 ");
	say_unsaved(f, "room_1");
	say(f, "room_1");
	say_unsaved(f, "room_1");
	ask_again(a);
	assert_got(a, 3, "u2 2 u3 ");
	ask_again(a);
	assert_state(a, WAITER_PARKED);
}

static void another_hubs_position_says_nothing(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0);
	char after[CURSOR_MAX];

	say_unsaved(f, "room_1");
	say(f, "room_1");
	say_unsaved(f, "room_1");
	snprintf(after, sizeof after, "1.%08x.0.%08x.0", (unsigned)LOG,
	         (unsigned)(f->hub.epoch + 1));
	ask(a, "room_1", after);
	run_reads(f);
	assert_got(a, 1, "1 ");
	say_unsaved(f, "room_1");
	ask_again(a);
	assert_got(a, 2, "u3 ");
}

static void a_position_ahead_says_nothing(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0);
	char after[CURSOR_MAX];

	park(f, 1, "room_1");
	snprintf(after, sizeof after, "1.%08x.0.%08x.99", (unsigned)LOG,
	         (unsigned)f->hub.epoch);
	ask(a, "room_1", after);
	assert_state(a, WAITER_PARKED);
	say_unsaved(f, "room_1");
	assert_got(a, 1, "u1 ");
}

static void unsaved_reach_waiters_for_a_check(void **state)
{
	static const char *const cursors[] = {"1", "1.5f3a9c01.1", "now"};
	struct fixture *f = *state;

	/* One of each knows the room, and one does not. */
	park(f, CLIENTS - 1, "room_1");
	f->hub.ready = false;
	save(f, "lobby");
	for (int i = 0; i < 6; i++) {
		ask(client_of(f, i), i < 3 ? "room_1" : "room_2",
		    cursors[i % 3]);
		assert_state(client_of(f, i), WAITER_UNSETTLED);
	}
	say_unsaved(f, "room_1");
	say_unsaved(f, "room_2");
	look(f);
	run_reads(f);
	for (int i = 0; i < 6; i++)
		assert_got(client_of(f, i), 1, i < 3 ? "u1 " : "u2 ");
}

static void a_full_page_does_not_take_an_id_back(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0);
	char after[CURSOR_MAX];

	park(f, 1, "room_1");
	/* All of them are before message 1, which the cursor has. */
	for (int i = 0; i <= PAGE_MESSAGES; i++)
		append_unsaved(f, "room_1");
	say(f, "room_1");
	say(f, "room_1");
	snprintf(after, sizeof after, "1.%08x.1.%08x.0", (unsigned)LOG,
	         (unsigned)f->hub.epoch);
	ask(a, "room_1", after);
	assert_int_equal(a->count, PAGE_MESSAGES);
	assert_true(a->more);
	assert_memory_equal(a->names.data, "u1 u2 ", 6);
	struct cursor cursor;
	assert_true(cursor_parse(text_of(a->cursor), &cursor));
	assert_int_equal(cursor.id, 1);
	ask_again(a);
	assert_got(a, 2, "u1001 2 ");
	assert_false(a->more);
	ask_again(a);
	assert_state(a, WAITER_PARKED);
}

/* ---- Behind the window ---- */

static void what_the_window_dropped_is_read_from_the_log(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0);

	say_many(f, "room_1", 3);
	drop_window(f);
	say(f, "room_1");
	ask(a, "room_1", "1");
	assert_state(a, WAITER_READING);
	run_reads(f);
	assert_got(a, 1, "2 3 4 ");
	ask_again(a);
	assert_state(a, WAITER_PARKED);
}

static void more_reads_than_may_be_are_refused(void **state)
{
	struct fixture *f = *state;
	struct client *first = client_of(f, 0), *other = client_of(f, 1);
	struct client *joining = client_of(f, 2);

	say(f, "a");
	say(f, "b");
	drop_window(f);
	hub_set_limits(&f->hub, WINDOW_BYTES, 1);
	ask(first, "a", "0");
	assert_state(first, WAITER_READING);
	ask(other, "b", "0");
	assert_state(other, WAITER_IDLE);
	assert_int_equal(other->status, 503);
	/* A client that needs the room being read needs no other read. */
	ask(joining, "a", "0");
	assert_state(joining, WAITER_READING);
	run_reads(f);
	assert_got(first, 1, "1 ");
	assert_got(joining, 1, "1 ");
	ask(other, "b", "0");
	run_reads(f);
	assert_got(other, 2, "2 ");
	assert_int_equal(f->hub.reads, 0);
}

static void rooms_count_in_the_window(void **state)
{
	struct fixture *f = *state;

	say(f, "a");
	int64_t one = f->hub.window.bytes;
	say(f, "a");
	int64_t two = f->hub.window.bytes;
	say(f, "b");
	assert_true(f->hub.window.bytes - two == one);
	assert_true(two - one < one - (int64_t)sizeof(struct room));
	drop_window(f);
	assert_int_equal(f->hub.window.bytes, 0);
}

static void the_window_stays_within_its_limit(void **state)
{
	struct fixture *f = *state;

	hub_set_limits(&f->hub, 2000, INT64_MAX);
	for (int i = 0; i < 300; i++) {
		say(f, i % 2 ? "room_1" : "lobby");
		say_unsaved(f, "hall");
		assert_true(f->hub.window.bytes <= 2000);
	}
	assert_true(f->hub.window.from > 250);
	drop_window(f);
	assert_int_equal(f->hub.window.bytes, 0);
	assert_int_equal(f->hub.window.from, 300);
}

static void one_read_serves_all_who_queue(void **state)
{
	struct fixture *f = *state;

	say_many(f, "room_1", 5);
	drop_window(f);
	ask(client_of(f, 0), "room_1", "4");
	ask(client_of(f, 1), "room_1", "3");
	ask(client_of(f, 2), "room_1", "1");
	ask(client_of(f, 3), "room_1", "2");
	run_reads(f);
	assert_int_equal(f->log.asked, 2);
	assert_got(client_of(f, 0), 1, "5 ");
	assert_got(client_of(f, 1), 1, "4 5 ");
	assert_got(client_of(f, 2), 1, "2 3 4 5 ");
	assert_got(client_of(f, 3), 1, "3 4 5 ");
}

static void a_read_is_given_share_by_share(void **state)
{
	struct fixture *f = *state;

	say_many(f, "room_1", 5);
	drop_window(f);
	for (int i = 0; i < 4; i++)
		ask(client_of(f, i), "room_1", (const char *[]){"4", "3", "1",
		                                                "3"}[i]);
	assert_true(give_back(&f->log));
	assert_got(client_of(f, 0), 1, "5 ");
	f->hub.read_left = 1;
	run_reads(f);
	assert_int_equal(f->log.again, 1);
	assert_int_equal(f->log.asked, 2);
	assert_got(client_of(f, 1), 1, "4 5 ");
	assert_got(client_of(f, 2), 1, "2 3 4 5 ");
	assert_got(client_of(f, 3), 1, "4 5 ");
}

/* So long that a page of it is long. */
static void say_at_length(struct fixture *f, const char *room)
{
	struct room_name name = room_named(room);
	struct buffer json = {0};

	buffer_printf(&json, "{\"name\":\"long\",\"pad\":\"%*s\"}", 20000,
	              "");
	hub_append(&f->hub, &name, 0, buffer_text(&json));
	hub_deliver(&f->hub);
	buffer_release(&json);
}

/* Makes a client ask for what comes after the beginning. */
static struct client *ask_from_start(struct fixture *f, int which,
                                     const char *room, const char *start)
{
	struct client *c = client_of(f, which);

	ask(c, room, start);
	return c;
}

static void a_long_page_waits_for_its_share(void **state)
{
	struct fixture *f = *state;
	char start[CURSOR_MAX + 1];
	struct client *c = park(f, 0, "room_1");

	park(f, 1, "room_2");
	hub_time_out(&f->hub, &c->waiter);
	snprintf(start, sizeof start, "%s", c->cursor);
	say_at_length(f, "room_1");
	say_unsaved(f, "room_2");
	f->hub.render_left = 0;
	struct client *first = ask_from_start(f, 2, "room_1", start);
	struct client *other = ask_from_start(f, 3, "room_2", start);
	assert_state(first, WAITER_QUEUED);
	assert_got(other, 1, "u1 ");
	assert_false(hub_go_on(&f->hub));
	assert_got(first, 1, "long ");
	/* Now the page is rendered, and every client gets it. */
	f->hub.render_left = 0;
	assert_got(ask_from_start(f, 4, "room_1", start), 1, "long ");
}

static void waiters_for_a_long_page_are_answered(void **state)
{
	struct fixture *f = *state;
	char start[CURSOR_MAX + 1];
	struct client *c = park(f, 0, "room_1");

	hub_time_out(&f->hub, &c->waiter);
	snprintf(start, sizeof start, "%s", c->cursor);
	say_at_length(f, "room_1");
	f->hub.render_left = 0;
	struct client *patient = ask_from_start(f, 1, "room_1", start);
	struct client *hasty = ask_from_start(f, 2, "room_1", start);
	struct client *gone = ask_from_start(f, 3, "room_1", start);
	struct client *late = ask_from_start(f, 4, "room_1", start);
	assert_false(hub_time_out(&f->hub, &hasty->waiter));
	hub_give_up(&f->hub, &hasty->waiter);
	assert_int_equal(hasty->status, 503);
	hub_leave(&f->hub, &gone->waiter);
	hub_drain(&f->hub, 1);
	hub_drain_waiter(&f->hub, &late->waiter);
	assert_got(late, 1, "");
	assert_text(text_of(late->cursor), start);
	hub_go_on(&f->hub);
	assert_got(patient, 1, "long ");
	assert_int_equal(gone->answers, 0);
}

static void no_poll_joins_a_read_that_starts_later(void **state)
{
	struct fixture *f = *state;
	struct client *late = client_of(f, 0), *early = client_of(f, 1);

	say_many(f, "room_1", 5);
	drop_window(f);
	ask(late, "room_1", "4");
	perform_next(&f->log);
	ask(early, "room_1", "1");
	run_reads(f);
	assert_got(late, 1, "5 ");
	assert_got(early, 1, "2 3 4 5 ");
}

static void sharing_a_read_gives_nothing_twice(void **state)
{
	struct fixture *f = *state;
	struct client *near = client_of(f, 0), *far = client_of(f, 1);

	say_many(f, "room_1", 1500);
	drop_window(f);
	ask(client_of(f, 2), "room_1", "1500");
	ask(near, "room_1", "1498");
	ask(far, "room_1", "0");
	run_reads(f);
	assert_int_equal(far->count, PAGE_MESSAGES);
	assert_true(far->more);
	assert_got(near, 1, "1499 1500 ");
	assert_false(near->more);
}

static void a_message_during_a_read_is_not_lost(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0), *b = client_of(f, 1);

	say_many(f, "room_1", 2);
	drop_window(f);
	ask(a, "room_1", "1");
	ask(b, "room_1", "2");
	perform_next(&f->log);
	say(f, "room_1");
	say_unsaved(f, "room_1");
	run_reads(f);
	assert_got(a, 1, "2 ");
	ask_again(a);
	assert_got(a, 2, "3 u1 ");
	assert_got(b, 1, "3 ");
	ask_again(b);
	assert_got(b, 2, "u1 ");
}

static void what_a_read_saw_is_not_given_again(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0);

	say(f, "room_1");
	drop_window(f);
	save(f, "room_1");
	ask(a, "room_1", "0");
	run_reads(f);
	assert_got(a, 1, "1 2 ");
	ask_again(a);
	assert_state(a, WAITER_UNSETTLED);
	look(f);
	assert_state(a, WAITER_PARKED);
	say(f, "room_1");
	assert_got(a, 2, "3 ");
}

static void dropped_while_read_it_is_read_again(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0);

	say(f, "room_1");
	drop_window(f);
	ask(a, "room_1", "1");
	perform_next(&f->log);
	say_many(f, "room_1", 3);
	drop_window(f);
	run_reads(f);
	assert_got(a, 1, "2 3 4 ");
}

static void a_failed_read_is_told(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0), *b = client_of(f, 1);

	ask(a, "room_1", "0");
	ask_lost(b, "room_1", "1.0badcafe.0");
	f->log.failing = true;
	run_reads(f);
	assert_int_equal(a->answers, 1);
	assert_int_equal(a->status, 503);
	assert_int_equal(b->answers, 1);
	assert_int_equal(b->status, 503);
	f->log.failing = false;
	say(f, "room_1");
	ask(a, "room_1", "0");
	run_reads(f);
	assert_got(a, 2, "1 ");
}

/* ---- Removed messages ---- */

static void removed_messages_make_a_gap(void **state)
{
	static const struct {
		const char *after, *names;
		bool gap;
	} rows[] = {
		{"0", "4 5 ", true},  {"1", "4 5 ", true}, {"2", "4 5 ", true},
		{"3", "4 5 ", false}, {"4", "5 ", false},
	};
	struct fixture *f = *state;

	say_many(f, "room_1", 5);
	drop_window(f);
	for (int id = 1; id <= 3; id++)
		f->log.messages[id - 1].removed = true;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct client *c = client_of(f, (int)i);

		ask(c, "room_1", rows[i].after);
		run_reads(f);
		assert_got(c, 1, rows[i].names);
		expect(c->gap == rows[i].gap, "after %s", rows[i].after);
		ask_again(c);
		assert_state(c, WAITER_PARKED);
	}
}

static void an_emptied_room_has_a_gap_once(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0);

	say_many(f, "room_1", 3);
	say(f, "lobby");
	drop_window(f);
	for (int id = 1; id <= 3; id++)
		f->log.messages[id - 1].removed = true;
	ask(a, "room_1", "1");
	run_reads(f);
	assert_got(a, 1, "");
	assert_true(a->gap);
	ask_again(a);
	assert_state(a, WAITER_PARKED);
}

static void a_gap_ahead_of_the_hub_is_told_once(void **state)
{
	struct fixture *f = *state;
	struct client *reader = client_of(f, 0), *a = client_of(f, 1);

	say_many(f, "room_1", 3);
	save(f, "room_1");
	drop_window(f);
	for (int id = 1; id <= 4; id++)
		f->log.messages[id - 1].removed = true;
	ask(reader, "room_1", "0");
	run_reads(f);
	assert_true(reader->gap);
	/* Within the window, which ends before the removed messages. */
	ask(a, "room_1", "3");
	look(f);
	run_reads(f);
	assert_int_equal(a->answers, 1);
	assert_true(a->gap);
	ask_again(a);
	run_reads(f);
	expect(a->answers == 1, "told again at %s", a->cursor);
	assert_state(a, WAITER_PARKED);
}

static void a_room_in_the_window_has_its_gap_too(void **state)
{
	struct fixture *f = *state;
	struct client *reader = client_of(f, 0), *a = client_of(f, 1);

	say_many(f, "room_1", 2);
	drop_window(f);
	hub_start_over(&f->hub, LOG, 0);
	f->log.messages[0].removed = f->log.messages[1].removed = true;
	look(f);
	ask(reader, "room_1", "2");
	run_reads(f);
	assert_state(reader, WAITER_PARKED);
	ask(a, "room_1", "0");
	run_reads(f);
	assert_got(a, 1, "");
	assert_true(a->gap);
	ask_again(a);
	assert_state(a, WAITER_PARKED);
}

static void a_first_message_during_a_read_is_the_earliest(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0);

	say(f, "lobby");
	ask(a, "room_1", "0");
	perform_next(&f->log);
	say_unsaved(f, "room_1");
	say(f, "room_1");
	say(f, "room_1");
	run_reads(f);
	assert_got(a, 1, "u1 2 3 ");
	assert_int_equal(earliest_of(a), 2);
	ask_again(a);
	say(f, "room_1");
	assert_got(a, 2, "4 ");
	assert_int_equal(earliest_of(a), 2);
}

static void a_room_that_lost_its_oldest_keeps_the_rest(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0), *parked = client_of(f, 1);

	park(f, 2, "room_1");
	say_many(f, "room_1", 5);
	park(f, 1, "room_1");
	ask(a, "room_1", "0");
	assert_got(a, 1, "1 2 3 4 5 ");
	assert_int_equal(earliest_of(a), 1);
	for (int id = 1; id <= 3; id++)
		f->log.messages[id - 1].removed = true;
	tell_change(f, "room_1", false);
	ask(a, "room_1", "0");
	run_reads(f);
	assert_got(a, 2, "4 5 ");
	assert_true(a->gap);
	assert_int_equal(earliest_of(a), 4);
	ask(a, "room_1", "3");
	assert_got(a, 3, "4 5 ");
	assert_false(a->gap);
	/* The parked waiter lacks nothing. */
	say(f, "room_1");
	assert_got(parked, 1, "6 ");
	assert_false(parked->gap);
	assert_int_equal(earliest_of(parked), 4);
}

/* What the window had was from before the change. */
static void a_changed_room_is_read_anew(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0), *b = client_of(f, 2);
	struct client *parked = client_of(f, 1);

	say_many(f, "room_1", 5);
	say_many(f, "lobby", 2);
	say_unsaved(f, "room_1");
	park(f, 1, "room_1");
	tell_change(f, "room_1", true);
	assert_state(parked, WAITER_PARKED);
	ask(a, "room_1", "0");
	assert_int_equal(a->answers, 0);
	run_reads(f);
	assert_got(a, 1, "1 2 3 4 5 ");
	assert_false(a->gap);
	say(f, "room_1");
	assert_got(parked, 1, "8 ");
	/* From there on the window suffices, and other rooms have lost nothing.
	 * */
	int asked = f->log.asked;
	ask(b, "room_1", "7");
	assert_got(b, 1, "8 ");
	ask(b, "lobby", "5");
	run_reads(f);
	ask(b, "lobby", "5");
	assert_got(b, 3, "6 7 ");
	assert_int_equal(f->log.asked, asked + 1);
}

static void a_changed_room_that_was_forgotten_is_read_anew(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0);

	say_many(f, "room_1", 3);
	tell_change(f, "room_1", true);
	for (int i = 0; i < ROOMS_IDLE_MAX + 1; i++) {
		char name[32];

		snprintf(name, sizeof name, "idle-%d", i);
		ask(a, name, "now");
		run_reads(f);
		hub_leave(&f->hub, &a->waiter);
	}
	ask(a, "room_1", "3");
	run_reads(f);
	hub_leave(&f->hub, &a->waiter);
	ask(a, "room_1", "1");
	run_reads(f);
	assert_got(a, 1, "2 3 ");
}

static void a_hole_in_the_middle_is_a_gap_for_who_was_before_it(void **state)
{
	static const struct {
		const char *after, *names;
		bool gap;
	} rows[] = {
		{"0", "1 2 5 6 ", true}, {"2", "5 6 ", true}, {"3", "5 6 ", true},
		{"4", "5 6 ", false},    {"5", "6 ", false},
	};
	struct fixture *f = *state;

	say_many(f, "room_1", 6);
	f->log.messages[2].removed = f->log.messages[3].removed = true;
	tell_change(f, "room_1", true);
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct client *c = client_of(f, (int)i);

		ask(c, "room_1", rows[i].after);
		run_reads(f);
		assert_got(c, 1, rows[i].names);
		expect(c->gap == rows[i].gap, "after %s", rows[i].after);
		ask_again(c);
		run_reads(f);
		assert_state(c, WAITER_PARKED);
	}
}

static void parked_waiters_are_told_of_undelivered_messages(void **state)
{
	struct fixture *f = *state;
	struct client *parked = client_of(f, 0);

	say_many(f, "room_1", 2);
	park(f, 0, "room_1");
	save(f, "room_1");
	f->log.messages[2].removed = true;
	look(f);
	assert_state(parked, WAITER_PARKED);
	tell_change(f, "room_1", true);
	run_reads(f);
	assert_got(parked, 1, "");
	assert_true(parked->gap);
	ask_again(parked);
	assert_state(parked, WAITER_PARKED);
}

static void what_left_the_log_but_not_the_window_is_a_gap(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0);

	say_many(f, "room_1", 3);
	for (int id = 1; id <= 3; id++)
		f->log.messages[id - 1].removed = true;
	ask(a, "room_1", "2");
	run_reads(f);
	/* Nothing is skipped silently. */
	assert_got(a, 1, "");
	assert_true(a->gap);
	assert_int_equal(earliest_of(a), 0);
}

/* ---- Long pages ---- */

/* Follows a room from its beginning; every page but the last has more. */
static void follow_to_the_end(struct fixture *f, struct client *c, int total)
{
	int got = 0;

	ask(c, "room_1", "0");
	run_reads(f);
	for (;;) {
		int page = total - got > PAGE_MESSAGES ? PAGE_MESSAGES
		                                       : total - got;
		char first[32];

		assert_int_equal(c->count, page);
		int size = snprintf(first, sizeof first, "%d ", got + 1);
		assert_memory_equal(c->names.data, first, (size_t)size);
		got += page;
		expect(c->more == (got < total), "after %d", got);
		if (!c->more)
			break;
		int answers = c->answers;
		ask_again(c);
		run_reads(f);
		assert_int_equal(c->answers, answers + 1);
	}
	assert_int_equal(got, total);
	ask_again(c);
	assert_state(c, WAITER_PARKED);
}

static void long_pages_end_at_a_thousand(void **state)
{
	struct fixture *f = *state;
	int total = 0;

	park(f, 1, "room_1");
	static const int sizes[] = {999, 1000, 1001, 2000, 2500};
	for (size_t i = 0; i < LENGTH(sizes); i++) {
		say_many(f, "room_1", sizes[i] - total);
		total = sizes[i];
		follow_to_the_end(f, client_of(f, 0), total);
		drop_window(f);
		hub_leave(&f->hub, &client_of(f, 0)->waiter);
		follow_to_the_end(f, client_of(f, 0), total);
		hub_leave(&f->hub, &client_of(f, 0)->waiter);
		/* Back into the window. */
		hub_start_over(&f->hub, LOG, 0);
		look(f);
		run_reads(f);
	}
}

static void a_flood_reaches_parked_ones_in_pages(void **state)
{
	struct fixture *f = *state;
	struct client *a = park(f, 0, "room_1");

	for (int i = 0; i < 1500; i++)
		save(f, "room_1");
	look(f);
	assert_int_equal(a->count, 1000);
	assert_true(a->more);
	ask_again(a);
	assert_int_equal(a->count, 500);
	assert_false(a->more);
	assert_memory_equal(a->names.data, "1001 ", 5);
	assert_int_equal(f->log.asked, 1);
}

static void more_is_told_only_of_what_comes(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0);

	park(f, 1, "room_1");
	say_many(f, "room_1", PAGE_MESSAGES);
	say_unsaved(f, "room_1");
	/* A bare id asks for no earlier unsaved message. */
	ask(a, "room_1", "0");
	assert_int_equal(a->count, PAGE_MESSAGES);
	assert_false(a->more);
}

static void a_long_page_with_unsaved_ones_loses_none(void **state)
{
	struct fixture *f = *state;
	struct client *a = park(f, 0, "room_1");

	for (int i = 0; i < PAGE_MESSAGES; i++) {
		append_unsaved(f, "room_1");
		int64_t id = save(f, "room_1");
		hub_append(&f->hub, &f->log.messages[id - 1].room, id,
		           name_message(&f->log, id));
	}
	hub_deliver(&f->hub);
	assert_int_equal(a->count, PAGE_MESSAGES);
	assert_true(a->more);
	assert_memory_equal(a->names.data, "u1 1 u2 2 ", 10);
	ask_again(a);
	assert_int_equal(a->count, PAGE_MESSAGES);
	assert_false(a->more);
	assert_memory_equal(a->names.data, "u501 501 u502 502 ", 18);
	ask_again(a);
	assert_state(a, WAITER_PARKED);
}

/* ---- Dead cursors ---- */

static void another_logs_cursor_is_reset(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0), *b = client_of(f, 1);

	say_many(f, "room_1", 12);
	say(f, "lobby");
	ask_lost(a, "room_1", "1.0badcafe.3");
	ask_lost(b, "room_1", "1.0badcafe.999.00000001.7");
	run_reads(f);
	assert_got(a, 1, "3 4 5 6 7 8 9 10 11 12 ");
	assert_true(a->reset && a->more && !a->gap);
	assert_got(b, 1, "3 4 5 6 7 8 9 10 11 12 ");
	assert_true(b->reset);
	ask_again(a);
	run_reads(f);
	assert_state(a, WAITER_PARKED);
	say(f, "room_1");
	assert_got(a, 2, "14 ");
	assert_false(a->reset);
}

static void a_reset_in_an_empty_room_is_answered(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0);

	ask_lost(a, "room_1", "1.0badcafe.3");
	run_reads(f);
	assert_got(a, 1, "");
	assert_true(a->reset && !a->more);
	ask_again(a);
	assert_state(a, WAITER_PARKED);
}

static void a_reset_during_a_reset_gets_the_next_read(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0), *b = client_of(f, 1);

	say(f, "room_1");
	ask_lost(a, "room_1", "1.0badcafe.3");
	perform_next(&f->log);
	say(f, "room_1");
	ask_lost(b, "room_1", "1.0badcafe.3");
	run_reads(f);
	assert_got(a, 1, "1 ");
	ask_again(a);
	assert_got(a, 2, "2 ");
	assert_got(b, 1, "1 2 ");
}

static void a_cursor_ahead_waits_for_one_look(void **state)
{
	struct fixture *f = *state;
	struct client *future = client_of(f, 0), *soon = client_of(f, 1);

	say(f, "room_1");
	save(f, "room_1");
	save(f, "room_1");
	ask(future, "room_1", "99");
	ask(soon, "room_1", "2");
	assert_state(future, WAITER_UNSETTLED);
	assert_state(soon, WAITER_UNSETTLED);
	assert_int_equal(f->wanted, 2);
	look(f);
	run_reads(f);
	assert_got(future, 1, "1 2 3 ");
	assert_true(future->reset);
	assert_got(soon, 1, "3 ");
	assert_false(soon->reset);
}

static void a_look_under_way_decides_nothing(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0);

	begin_look(f);
	save(f, "room_1");
	save(f, "room_1");
	ask(a, "room_1", "1");
	end_look(f);
	assert_state(a, WAITER_UNSETTLED);
	look(f);
	run_reads(f);
	assert_got(a, 1, "2 ");
	assert_false(a->reset);
}

/* ---- Another log ---- */

static void a_replaced_log_resets_who_is_parked(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0);

	say_many(f, "room_1", 5);
	park(f, 0, "room_1");
	replace_log(f, OTHER_LOG, 2, "room_1");
	hub_start_over(&f->hub, OTHER_LOG, 0);
	assert_state(a, WAITER_UNSETTLED);
	assert_int_equal(a->answers, 0);
	look(f);
	run_reads(f);
	assert_got(a, 1, "1 2 ");
	assert_true(a->reset);
	ask_again(a);
	run_reads(f);
	say(f, "room_1");
	assert_got(a, 2, "3 ");
}

static void a_restored_backup_resets_who_is_ahead(void **state)
{
	struct fixture *f = *state;
	struct client *ahead = client_of(f, 0), *within = client_of(f, 1);

	say_many(f, "room_1", 5);
	park(f, 0, "room_1");
	replace_log(f, LOG, 3, "room_1");
	hub_start_over(&f->hub, LOG, 0);
	ask(within, "room_1", "1");
	look(f);
	run_reads(f);
	assert_got(ahead, 1, "1 2 3 ");
	assert_true(ahead->reset);
	assert_got(within, 1, "2 3 ");
	assert_false(within->reset);
}

/* The log LOG was restored up to message 3, and continues as OTHER_LOG. */
static void begin_incarnation(struct fixture *f)
{
	struct incarnations list = {0};

	incarnations_add(&list, LOG, 0);
	incarnations_add(&list, OTHER_LOG, 3);
	replace_log(f, OTHER_LOG, 3, "room_1");
	hub_start_over(&f->hub, OTHER_LOG, 0);
	hub_know_incarnations(&f->hub, &list);
	incarnations_release(&list);
}

static void a_cursor_is_good_up_to_the_new_incarnation(void **state)
{
	static const struct {
		const char *cursor, *names; /* NULL: it is reset */
	} rows[] = {
		{"1.5f3a9c01.0", "1 2 3 4 5 6 7 8 9 "},
		{"1.5f3a9c01.2", "3 4 5 6 7 8 9 "},
		{"1.5f3a9c01.3", "4 5 6 7 8 9 "},
		{"1.5f3a9c01.4", NULL},
		{"1.5f3a9c01.8", NULL},
		{"1.5f3a9c01.100", NULL},
		{"1.0badcafe.3", "4 5 6 7 8 9 "},
		{"1.0badcafe.8", "9 "},
		{"1.0badcafe.10", NULL},
		{"1.12345678.2", NULL},
		{"8", "9 "},
	};
	struct fixture *f = *state;

	say_many(f, "room_1", 5);
	begin_incarnation(f);
	look(f);
	say_many(f, "room_1", 6);
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct client *c = client_of(f, 0);

		forget_answer(c);
		c->answers = 0;
		ask(c, "room_1", rows[i].cursor);
		if (c->waiter.state == WAITER_UNSETTLED)
			look(f);
		run_reads(f);
		expect(c->answers == 1, "%s", rows[i].cursor);
		expect(c->reset == (rows[i].names == NULL), "%s",
		       rows[i].cursor);
		assert_got(c, 1, rows[i].names != NULL
		                         ? rows[i].names
		                         : "1 2 3 4 5 6 7 8 9 ");
	}
}

static void clients_not_ahead_notice_no_incarnation(void **state)
{
	struct fixture *f = *state;
	struct client *within = client_of(f, 0), *ahead = client_of(f, 1);

	say_many(f, "room_1", 3);
	park(f, 0, "room_1");
	hub_leave(&f->hub, &within->waiter);
	ask(within, "room_2", "1.5f3a9c01.3");
	run_reads(f);
	say_many(f, "room_1", 2);
	park(f, 1, "room_1");
	begin_incarnation(f);
	look(f);
	run_reads(f);
	assert_state(within, WAITER_PARKED);
	assert_int_equal(within->answers, 0);
	assert_got(ahead, 1, "1 2 3 ");
	assert_true(ahead->reset);
	say(f, "room_2");
	assert_got(within, 1, "4 ");
	assert_false(within->reset || within->gap);
	/* Its cursor is of the new log. */
	assert_int_equal(strncmp(within->cursor, "1.0badcafe.4", 12), 0);
}

/* Given by longroom-history a moment ago. */
static void a_tag_that_the_next_look_brings_is_good(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0);

	say_many(f, "room_1", 5);
	ask(a, "room_1", "1.0badcafe.3");
	assert_state(a, WAITER_UNSETTLED);
	assert_int_equal(f->log.asked, 0);
	begin_incarnation(f);
	look(f);
	run_reads(f);
	assert_state(a, WAITER_PARKED);
	say(f, "room_1");
	assert_got(a, 1, "4 ");
	assert_false(a->reset);
}

static void a_read_of_another_log_answers_no_poll(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0), *b = client_of(f, 1);

	say_many(f, "room_1", 5);
	drop_window(f);
	ask(a, "room_1", "2");
	ask(b, "room_1", "1.0badcafe.9");
	replace_log(f, OTHER_LOG, 7, "room_1");
	run_reads(f);
	assert_state(a, WAITER_UNSETTLED);
	assert_state(b, WAITER_UNSETTLED);
	hub_start_over(&f->hub, OTHER_LOG, 0);
	look(f);
	run_reads(f);
	assert_got(a, 1, "1 2 3 4 5 6 7 ");
	assert_true(a->reset);
	/* The other log is its own, which ends before 9. */
	assert_got(b, 1, "1 2 3 4 5 6 7 ");
	assert_true(b->reset);
}

static void a_read_from_before_a_new_log_is_not_used(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0), *b = client_of(f, 1);

	say_many(f, "room_1", 5);
	drop_window(f);
	ask(a, "room_1", "2");
	ask(b, "room_1", "1.12345678.9");
	perform_next(&f->log);
	perform_next(&f->log);
	replace_log(f, OTHER_LOG, 2, "room_1");
	hub_start_over(&f->hub, OTHER_LOG, 0);
	run_reads(f);
	assert_int_equal(a->answers + b->answers, 0);
	look(f);
	run_reads(f);
	assert_got(a, 1, "1 2 ");
	assert_true(a->reset);
	assert_got(b, 1, "1 2 ");
	assert_true(b->reset);
}

static void a_read_of_a_new_log_answers_no_old_cursor(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0);

	say_many(f, "room_1", 5);
	drop_window(f);
	ask(a, "room_1", "2");
	replace_log(f, OTHER_LOG, 7, "room_1");
	hub_start_over(&f->hub, OTHER_LOG, 0);
	look(f);
	run_reads(f);
	assert_state(a, WAITER_UNSETTLED);
	look(f);
	run_reads(f);
	assert_got(a, 1, "1 2 3 4 5 6 7 ");
	assert_true(a->reset);
}

static void a_read_of_a_shorter_log_answers_no_poll(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0);

	say_many(f, "room_1", 5);
	drop_window(f);
	ask(a, "room_1", "2");
	replace_log(f, LOG, 3, "room_1");
	run_reads(f);
	assert_state(a, WAITER_UNSETTLED);
	hub_start_over(&f->hub, LOG, 0);
	look(f);
	run_reads(f);
	assert_got(a, 1, "3 ");
}

static void what_was_not_delivered_goes_with_its_log(void **state)
{
	struct fixture *f = *state;
	struct client *a = park(f, 0, "room_1");

	append_unsaved(f, "room_1");
	hub_start_over(&f->hub, OTHER_LOG, 0);
	hub_deliver(&f->hub);
	assert_state(a, WAITER_UNSETTLED);
	assert_int_equal(a->answers, 0);
}

/* ---- Before there is a log ---- */

static void an_early_poll_waits_for_the_log(void **state)
{
	struct fixture *f = *state;
	struct client *now = client_of(f, 0), *after = client_of(f, 1);

	save(f, "room_1");
	ask(now, "room_1", "now");
	ask(after, "room_1", "0");
	assert_state(now, WAITER_UNSETTLED);
	assert_state(after, WAITER_UNSETTLED);
	look(f);
	run_reads(f);
	assert_state(now, WAITER_PARKED);
	assert_got(after, 1, "1 ");
	say(f, "room_1");
	assert_got(now, 1, "2 ");
}

static void no_poll_waits_for_a_log_that_fails(void **state)
{
	struct fixture *f = *state;
	struct client *before = client_of(f, 0), *later = client_of(f, 1);

	ask(before, "room_1", "0");
	hub_set_failing(&f->hub, "failing");
	assert_int_equal(before->answers, 1);
	assert_int_equal(before->status, 503);
	ask(later, "room_1", "0");
	assert_int_equal(later->answers, 1);
	assert_int_equal(later->status, 503);
	look(f);
	ask(later, "room_1", "now");
	run_reads(f);
	assert_state(later, WAITER_PARKED);
}

static void parked_waiters_stay_while_the_log_fails(void **state)
{
	struct fixture *f = *state;
	struct client *a = park(f, 0, "room_1");
	struct client *b = client_of(f, 1);

	hub_set_failing(&f->hub, "failing");
	assert_state(a, WAITER_PARKED);
	ask(b, "room_1", "now");
	assert_state(b, WAITER_PARKED);
	say_unsaved(f, "room_1");
	assert_got(a, 1, "u1 ");
}

/* ---- Timeouts, and clients that leave ---- */

static void a_time_out_loses_nothing(void **state)
{
	struct fixture *f = *state;
	struct client *a = park(f, 0, "room_1");

	say(f, "lobby");
	assert_true(hub_time_out(&f->hub, &a->waiter));
	assert_got(a, 1, "");
	assert_false(a->more || a->gap || a->reset);
	say(f, "room_1");
	say_unsaved(f, "room_1");
	ask_again(a);
	assert_got(a, 2, "2 u1 ");
}

static void a_time_out_during_a_read_waits_for_it(void **state)
{
	struct fixture *f = *state;
	struct client *some = client_of(f, 0), *none = client_of(f, 1);

	say_many(f, "room_1", 2);
	drop_window(f);
	ask(some, "room_1", "1");
	ask(none, "room_1", "2");
	assert_false(hub_time_out(&f->hub, &some->waiter));
	assert_false(hub_time_out(&f->hub, &none->waiter));
	run_reads(f);
	assert_got(some, 1, "2 ");
	assert_got(none, 1, "");
	say(f, "room_1");
	ask_again(none);
	assert_got(none, 2, "3 ");
}

static void a_time_out_before_a_look_waits_for_it(void **state)
{
	struct fixture *f = *state;
	struct client *soon = client_of(f, 0), *future = client_of(f, 1);

	save(f, "room_1");
	ask(soon, "room_1", "1");
	ask(future, "room_1", "7");
	assert_false(hub_time_out(&f->hub, &soon->waiter));
	assert_false(hub_time_out(&f->hub, &future->waiter));
	look(f);
	assert_false(hub_time_out(&f->hub, &future->waiter));
	run_reads(f);
	assert_got(soon, 1, "");
	assert_false(soon->reset);
	assert_got(future, 1, "1 ");
	assert_true(future->reset);
}

static void no_time_at_all_is_answered_at_once(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0);

	park(f, 1, "room_1");
	a->waiter.from_now = true;
	a->waiter.must_answer = true;
	ask_for(a, "room_1");
	assert_got(a, 1, "");
}

static void a_poll_drained_during_a_read_is_told(void **state)
{
	struct fixture *f = *state;
	struct client *a = client_of(f, 0);

	ask(a, "room_1", "0");
	hub_give_up(&f->hub, &a->waiter);
	assert_int_equal(a->status, 503);
	run_reads(f);
	assert_int_equal(a->answers, 1);
}

/* Brings a new client into each state in turn; returns false after the last. */
static bool bring_into_state(struct fixture *f, int step, struct client *c)
{
	switch (step) {
	case 0: /* idle */
		return true;
	case 1:
		ask(c, "room_1", "99");
		assert_state(c, WAITER_UNSETTLED);
		return true;
	case 2: /* its read is under way */
		drop_window(f);
		ask(c, "room_1", "0");
		assert_state(c, WAITER_READING);
		return true;
	case 3: /* it queues behind another's */
		drop_window(f);
		ask(client_of(f, 1), "room_1", "1");
		ask(c, "room_1", "0");
		assert_state(c, WAITER_READING);
		return true;
	case 4:
		ask_lost(c, "room_1", "1.0badcafe.3");
		return true;
	case 5: /* behind another's */
		ask_lost(client_of(f, 2), "room_1", "1.0badcafe.3");
		ask_lost(c, "room_1", "1.0badcafe.3");
		assert_state(c, WAITER_RESETTING);
		return true;
	case 6:
		park(f, 0, "room_1");
		return true;
	}
	return false;
}

static void a_client_that_left_is_not_answered(void **state)
{
	struct fixture *f = *state;
	struct client *c = client_of(f, 0);

	say_many(f, "room_1", 3);
	for (int step = 0; bring_into_state(f, step, c); step++) {
		hub_leave(&f->hub, &c->waiter);
		assert_state(c, WAITER_IDLE);
		assert_null(c->waiter.feed);
		look(f);
		run_reads(f);
		say(f, "room_1");
		say_unsaved(f, "room_1");
		expect(c->answers == 0, "step %d", step);
		hub_leave(&f->hub, &client_of(f, 1)->waiter);
		hub_leave(&f->hub, &client_of(f, 2)->waiter);
	}
}

static void a_room_without_users_holds_nothing(void **state)
{
	struct fixture *f = *state;
	struct client *c = client_of(f, 0);

	say_many(f, "room_1", 3);
	for (int step = 0; bring_into_state(f, step, c); step++) {
		hub_leave(&f->hub, &c->waiter);
		hub_leave(&f->hub, &client_of(f, 1)->waiter);
		hub_leave(&f->hub, &client_of(f, 2)->waiter);
		look(f);
		run_reads(f);
		struct room_name name = room_named("room_1");
		expect(rooms_get(&f->hub.rooms, &name)->users == 0, "step %d",
		       step);
	}
}

static void idle_rooms_are_forgotten(void **state)
{
	struct fixture *f = *state;
	struct client *c = client_of(f, 0);
	char room[32];
	size_t all = 0;

	for (int i = 1; i <= ROOMS_IDLE_MAX + 500; i++) {
		snprintf(room, sizeof room, "room_%d", i);
		park(f, 0, room);
		hub_leave(&f->hub, &c->waiter);
	}
	for (struct list *at = f->hub.rooms.all.next; at != &f->hub.rooms.all;
	     at = at->next)
		all++;
	assert_int_equal(all, ROOMS_IDLE_MAX);
}

static void a_drained_waiter_can_come_back(void **state)
{
	struct fixture *f = *state;
	struct client *parked = client_of(f, 0), *reading = client_of(f, 1);
	struct client *early = client_of(f, 2);

	say_many(f, "room_1", 2);
	drop_window(f);
	park(f, 0, "room_1");
	ask(reading, "room_1", "1.5f3a9c01.1");
	ask(early, "room_1", "99");
	say(f, "lobby");
	hub_drain(&f->hub, 3);
	hub_drain_waiter(&f->hub, &parked->waiter);
	hub_drain_waiter(&f->hub, &reading->waiter);
	hub_drain_waiter(&f->hub, &early->waiter);
	assert_got(parked, 1, "");
	assert_in_range(parked->retry_ms, 1, 1000);
	assert_got(reading, 1, "");
	/* It gave a bare id; the cursor that it gets names the log. */
	assert_got(early, 1, "");
	f->hub.draining = false;
	run_reads(f);
	say(f, "room_1");
	ask_again(parked);
	assert_got(parked, 2, "4 ");
	ask_again(reading);
	run_reads(f);
	assert_got(reading, 2, "2 4 ");
}

static void a_drained_waiter_with_an_id_gets_a_cursor(void **state)
{
	struct fixture *f = *state;
	struct client *unsettled = client_of(f, 0), *reading = client_of(f, 1);
	struct client *both[] = {unsettled, reading};
	struct cursor cursor;

	say_many(f, "room_1", 3);
	drop_window(f);
	save(f, "lobby");
	ask(unsettled, "room_1", "4");
	ask(reading, "room_1", "2");
	assert_state(unsettled, WAITER_UNSETTLED);
	assert_state(reading, WAITER_READING);
	hub_drain(&f->hub, LENGTH(both));
	for (size_t i = 0; i < LENGTH(both); i++) {
		hub_drain_waiter(&f->hub, &both[i]->waiter);
		assert_got(both[i], 1, "");
		assert_true(cursor_parse(text_of(both[i]->cursor), &cursor));
		assert_true(cursor.names_log && cursor.log == LOG);
		assert_int_equal(cursor.id, i == 0 ? 4 : 2);
	}
	/* A bare id would be valid in any log. */
	replace_log(f, OTHER_LOG, 9, "room_1");
	hub_start_over(&f->hub, OTHER_LOG, 0);
	look(f);
	ask_again(unsettled);
	look(f);
	run_reads(f);
	assert_got(unsettled, 2, "1 2 3 4 5 6 7 8 9 ");
	assert_true(unsettled->reset);
}

/* PROTOCOL section 6. */
static void drained_waiters_come_back_spread_out(void **state)
{
	static const struct {
		size_t waiters;
		int64_t most_ms;
	} rows[] = {{1, 1000},      {5000, 1000},     {10000, 2000},
	            {20000, 4000},  {150000, 30000},  {1000000, 30000}};
	struct fixture *f = *state;
	struct client *c = client_of(f, 0);

	park(f, 0, "room_1");
	hub_leave(&f->hub, &c->waiter);
	for (size_t i = 0; i < LENGTH(rows); i++) {
		int64_t earliest = INT64_MAX, latest = 0;

		hub_drain(&f->hub, rows[i].waiters);
		for (int n = 0; n < 200; n++) {
			ask(c, "room_1", "now");
			int64_t ms = c->retry_ms;
			earliest = ms < earliest ? ms : earliest;
			latest = ms > latest ? ms : latest;
		}
		expect(earliest >= 1 && earliest < rows[i].most_ms / 4 &&
		               latest <= rows[i].most_ms &&
		               latest > rows[i].most_ms / 4 * 3,
		       "%zu waiters: %" PRId64 " to %" PRId64,
		       rows[i].waiters, earliest, latest);
	}
}

static size_t pages_kept(const struct room *room)
{
	size_t count = 0;

	for (size_t i = 0; i < FEED_CACHED_DELIVERIES; i++)
		count += room->own.cached[i].delivery != NULL;
	return count;
}

static void pages_are_kept_no_longer_than_their_messages(void **state)
{
	struct fixture *f = *state;
	struct room_name name = room_named("room_1");
	struct room *room = rooms_get(&f->hub.rooms, &name);

	park(f, 2, "room_1");
	say_many(f, "room_1", 3);
	park(f, 1, "room_1");
	ask(client_of(f, 0), "room_1", "0");
	assert_got(client_of(f, 0), 1, "1 2 3 ");
	assert_int_equal(pages_kept(room), 1);
	drop_window(f);
	assert_int_equal(pages_kept(room), 0);
	/* Or than there are clients to share them. */
	hub_leave(&f->hub, &client_of(f, 1)->waiter);
	park(f, 0, "room_1");
	hub_time_out(&f->hub, &client_of(f, 0)->waiter);
	assert_int_equal(room->users, 0);
	assert_int_equal(pages_kept(room), 0);
}

static void pages_are_kept_no_longer_than_they_may_be_given(void **state)
{
	struct fixture *f = *state;
	struct room_name name = room_named("room_1");
	struct room *room = rooms_get(&f->hub.rooms, &name);

	park(f, 2, "room_1");
	say_many(f, "room_1", 3);
	ask(client_of(f, 0), "room_1", "0");
	ask(client_of(f, 1), "room_1", "1");
	hub_forget_old(&f->hub, clock_monotonic_ms());
	assert_int_equal(pages_kept(room), 2);
	hub_forget_old(&f->hub, clock_monotonic_ms() + FEED_DELIVERY_LIFE_MS + 1);
	assert_int_equal(pages_kept(room), 0);
	ask(client_of(f, 0), "room_1", "0");
	assert_got(client_of(f, 0), 2, "1 2 3 ");
	assert_int_equal(pages_kept(room), 1);
}

/* ---- Asking again at once ---- */

static void ask_again_once(struct client *c)
{
	c->then = NULL;
	ask_again(c);
}

static void asking_again_at_once_waits_again(void **state)
{
	struct fixture *f = *state;
	struct client *a = park(f, 0, "room_1");
	struct client *b = park(f, 1, "room_1");

	a->then = b->then = ask_again_once;
	say(f, "room_1");
	assert_got(a, 1, "1 ");
	assert_state(a, WAITER_PARKED);
	assert_got(b, 1, "1 ");
	say(f, "room_1");
	assert_got(a, 2, "2 ");
	assert_got(b, 2, "2 ");
}

static void ask_in_the_lobby(struct client *c)
{
	char *cursor = memory_copy(c->cursor, strlen(c->cursor));

	c->then = NULL;
	ask(c, "lobby", cursor);
	free(cursor);
}

static void changing_rooms_during_delivery_gets_only_news(void **state)
{
	struct fixture *f = *state;
	struct client *a = park(f, 0, "room_1");
	struct client *b = park(f, 1, "lobby");

	a->then = ask_in_the_lobby;
	save(f, "room_1");
	save(f, "lobby");
	look(f);
	assert_got(b, 1, "2 ");
	/* Its cursor, from room_1, is after message 2. */
	expect(a->answers == 1, "given again: %.*s",
	       TEXT_ARGS(buffer_text(&a->names)));
	assert_state(a, WAITER_PARKED);
}

/* With what a read of the log gave it before this hub had anything: an old
 * position, and an id beyond everything here. */
static void ask_in_the_lobby_from_a_read(struct client *c)
{
	char after[CURSOR_MAX];

	c->then = NULL;
	snprintf(after, sizeof after, "1.%08x.%" PRId64 ".%08x.0",
	         (unsigned)LOG, c->fixture->log.newest,
	         (unsigned)c->fixture->hub.epoch);
	ask(c, "lobby", after);
}

static void changing_rooms_repeats_nothing_from_a_read(void **state)
{
	struct fixture *f = *state;
	struct client *a = park(f, 0, "room_1");
	struct client *b = park(f, 1, "lobby");

	a->then = ask_in_the_lobby_from_a_read;
	save(f, "room_1");
	save(f, "lobby");
	save(f, "lobby");
	look(f);
	assert_got(b, 1, "2 3 ");
	expect(a->answers == 1, "given again: %.*s",
	       TEXT_ARGS(buffer_text(&a->names)));
	assert_state(a, WAITER_PARKED);
	say(f, "lobby");
	assert_got(a, 2, "4 ");
}

/* As a stream does: it takes each delivery into account and goes on from there. */
struct stream {
	struct buffer names;
	int deliveries;
	int lost; /* steps back of the cursor, or items that end behind it */
	struct cursor cursor;
};

static struct stream stream;

static void check_items(const struct delivery *delivery)
{
	for (size_t i = 0; i < (size_t)delivery->count; i++) {
		struct cursor after = delivery_cursor_after(delivery, i);

		stream.lost += after.id < stream.cursor.id ||
		               after.position < stream.cursor.position ||
		               after.id > delivery->cursor.id ||
		               after.position > delivery->cursor.position;
		stream.cursor = after;
	}
	stream.cursor = delivery->cursor;
}

static void stream_on(struct client *c)
{
	assert_int_equal(c->status, 200);
	check_items(c->delivery);
	stream.deliveries++;
	buffer_add_text(&stream.names, buffer_text(&c->names));
	ask_again(c);
}

static void start_stream(struct client *c, const char *after)
{
	stream = (struct stream){.deliveries = 0};
	c->then = stream_on;
	ask(c, "room_1", after);
}

static void end_stream(struct client *c)
{
	c->then = NULL;
	buffer_release(&stream.names);
}

static void add_names(struct buffer *names, const char *kind, int first, int last)
{
	for (int i = first; i <= last; i++)
		buffer_printf(names, "%s%d ", kind, i);
}

/* Long enough for many deliveries, out of the log, out of the window, and as they
 * come. */
static void asking_again_from_each_delivery_has_all_once(void **state)
{
	enum { IN_LOG = 2500, IN_WINDOW = 1200, LATER = 300 };
	struct fixture *f = *state;
	struct client *c = client_of(f, 0);
	struct buffer expected = {0};

	say_many(f, "room_1", IN_LOG);
	drop_window(f);
	say_many(f, "room_1", IN_WINDOW);
	start_stream(c, "0");
	do
		run_reads(f);
	while (hub_go_on(&f->hub));
	assert_state(c, WAITER_PARKED);
	for (int i = 0; i < LATER; i++) {
		say(f, "lobby");
		say_unsaved(f, "room_1");
	}
	add_names(&expected, "", 1, IN_LOG + IN_WINDOW);
	add_names(&expected, "u", 1, LATER);
	assert_true(text_equal(buffer_text(&stream.names),
	                       buffer_text(&expected)));
	assert_in_range(stream.deliveries, LATER + 4, LATER + 8);
	assert_int_equal(stream.lost, 0);
	assert_state(c, WAITER_PARKED);
	buffer_release(&expected);
	end_stream(c);
}

static void a_crowd_that_asks_again_shares_each_delivery(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < CLIENTS; i++)
		park(f, i, "room_1");
	for (int i = 0; i < CLIENTS; i++)
		client_of(f, i)->then = ask_again;
	for (int round = 1; round <= 100; round++) {
		say(f, "room_1");
		for (int i = 0; i < CLIENTS; i++) {
			struct client *c = client_of(f, i);

			assert_int_equal(c->answers, round);
			assert_ptr_equal(c->delivery, client_of(f, 0)->delivery);
			assert_state(c, WAITER_PARKED);
		}
	}
}

/* ---- A long random load ---- */

enum { STEPS = 20000, SMALL_WINDOW = 1500 };

static const char *const model_rooms[] = {"room_1", "room_2", "lobby"};

/* What one client must have seen. */
struct record {
	const char *room;
	int64_t last_id;
	int last_unsaved;
};

struct model {
	struct fixture *f;
	struct random random;
	struct record records[CLIENTS];
	int64_t delivered;
};

static int64_t next_in_room(const struct log_reader *log, const char *room,
                            int64_t id)
{
	while (++id <= log->newest)
		if (!log->messages[id - 1].removed &&
		    strcmp(log->messages[id - 1].room.string, room) == 0)
			return id;
	return 0;
}

static void check_name(struct model *m, struct record *record, const char *name)
{
	if (name[0] == 'u') {
		int number = atoi(name + 1);

		expect(number > record->last_unsaved, "%s after u%d", name,
		       record->last_unsaved);
		record->last_unsaved = number;
		return;
	}
	int64_t id = atoll(name);
	int64_t next = next_in_room(&m->f->log, record->room, record->last_id);
	expect(id == next, "%s: got %s, not %" PRId64, record->room, name, next);
	record->last_id = id;
	m->delivered++;
}

/* Takes an answer into account and polls again. */
static void follow(struct model *m, int which)
{
	struct client *c = client_of(m->f, which);
	struct record *record = &m->records[which];

	if (c->waiter.state != WAITER_IDLE)
		return;
	if (c->delivery != NULL) {
		assert_int_equal(c->status, 200);
		assert_false(c->reset || c->gap);
		buffer_add(&c->names, "", 1);
		for (char *rest, *name = strtok_r(c->names.data, " ", &rest);
		     name != NULL; name = strtok_r(NULL, " ", &rest))
			check_name(m, record, name);
		buffer_clear(&c->names);
	}
	if (c->cursor != NULL)
		ask_again(c);
	else
		ask(c, record->room, "0");
}

/* As a client that leaves, perhaps before its answer came, and keeps only an
 * id. */
static void come_anew(struct model *m, int which)
{
	struct client *c = client_of(m->f, which);
	char after[24];

	if (c->waiter.state == WAITER_IDLE)
		return;
	hub_leave(&m->f->hub, &c->waiter);
	forget_answer(c);
	snprintf(after, sizeof after, "%" PRId64, m->records[which].last_id);
	ask(c, m->records[which].room, after);
}

/* As a frame of the bus: taken if it continues what the hub holds. */
static void say_if_next(struct fixture *f, const char *room)
{
	if (f->hub.newest == f->log.newest)
		say(f, room);
	else
		save(f, room);
}

static void take_step(struct model *m)
{
	struct fixture *f = m->f;
	const char *room =
		model_rooms[random_below(&m->random, LENGTH(model_rooms))];
	int which = (int)random_below(&m->random, CLIENTS);

	switch (random_below(&m->random, 12)) {
	case 0:
		if (f->log.newest < MESSAGES_MAX)
			save(f, room);
		break;
	case 1:
		if (f->log.newest < MESSAGES_MAX)
			say_if_next(f, room);
		break;
	case 2:
		say_unsaved(f, room);
		break;
	case 3:
		begin_look(f);
		break;
	case 4:
		if (f->looking)
			end_look(f);
		break;
	case 5:
		perform_next(&f->log);
		break;
	case 6:
		give_back(&f->log);
		break;
	case 7:
		if (client_of(f, which)->waiter.state != WAITER_IDLE)
			hub_time_out(&f->hub, &client_of(f, which)->waiter);
		break;
	case 8:
		if (random_below(&m->random, 5) == 0)
			come_anew(m, which);
		break;
	default:
		follow(m, which);
	}
}

/* Until no client lacks anything. */
static void settle(struct model *m)
{
	struct fixture *f = m->f;

	for (int round = 0; round < MESSAGES_MAX; round++) {
		bool all_parked = true;

		look(f);
		run_reads(f);
		for (int i = 0; i < CLIENTS; i++) {
			follow(m, i);
			all_parked = all_parked &&
			             client_of(f, i)->waiter.state ==
			                     WAITER_PARKED;
		}
		if (all_parked)
			return;
	}
	expect(false, "a client does not come to rest");
}

static void disorder_loses_nothing(void **state)
{
	struct fixture *f = *state;
	struct model m = {.f = f, .random = random_from(SEED)};

	hub_set_limits(&f->hub, SMALL_WINDOW, INT64_MAX);
	for (int i = 0; i < CLIENTS; i++)
		m.records[i].room = model_rooms[(size_t)i % LENGTH(model_rooms)];
	for (int i = 0; i < STEPS; i++)
		take_step(&m);
	settle(&m);
	for (int i = 0; i < CLIENTS; i++)
		expect(next_in_room(&f->log, m.records[i].room,
		                    m.records[i].last_id) == 0,
		       "client %d ends at %" PRId64, i, m.records[i].last_id);
	assert_true(m.delivered > f->log.newest);
}

/* ---- Pages that are long by what is not in the hub ---- */

static void those_with_long_pages_have_their_turns(void **state)
{
	struct fixture *f = *state;
	struct client *plain = park(f, 0, "room_1");

	for (int i = 1; i < CLIENTS; i++) {
		client_of(f, i)->waiter.is_long = true;
		park(f, i, i % 2 == 0 ? "room_1" : "lobby");
	}
	f->hub.render_left = 0;
	say(f, "room_1");
	assert_got(plain, 1, "1 ");
	for (int i = 1; i < CLIENTS; i++) {
		struct client *c = client_of(f, i);

		assert_int_equal(c->answers, 0);
		assert_int_equal(hub_time_out(&f->hub, &c->waiter), false);
		assert_state(c, WAITER_QUEUED);
	}
	while (hub_go_on(&f->hub))
		;
	for (int i = 1; i < CLIENTS; i++)
		assert_got(client_of(f, i), 1, i % 2 == 0 ? "1 " : "");
}

int run_hub(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_HUB("all waiters in a room share one answer",
	                 parked_waiters_share_one_answer),
		WITH_HUB("a message in another room wakes no waiter",
	                 other_rooms_wake_no_waiter),
		WITH_HUB("messages between two polls arrive together, without "
	                 "a read of the log",
	                 messages_between_two_polls_come_together),
		WITH_HUB("polls with the same cursor share a page until there "
	                 "is a new message",
	                 the_same_cursor_shares_a_page),
		WITH_HUB("two cursors in one room each get what they lack",
	                 two_cursors_in_a_room_get_what_each_lacks),
		WITH_HUB("a cursor from one room is valid in another",
	                 a_cursor_of_one_room_serves_another),
		WITH_HUB("now is the end of the log",
	                 now_is_the_end_of_the_log),
		WITH_HUB("an unsaved message arrives once, at its place",
	                 unsaved_messages_come_once),
		WITH_HUB("only the id of another hub's cursor counts",
	                 another_hubs_position_says_nothing),
		WITH_HUB("a position ahead of the hub's is ignored",
	                 a_position_ahead_says_nothing),
		WITH_HUB("an unsaved message reaches waiters for a log check "
	                 "too",
	                 unsaved_reach_waiters_for_a_check),
		WITH_HUB("a full page that ends with an unsaved message does "
	                 "not set the cursor's id back",
	                 a_full_page_does_not_take_an_id_back),
		WITH_HUB("messages evicted from the window are read from the "
	                 "log",
	                 what_the_window_dropped_is_read_from_the_log),
		WITH_HUB("a poll beyond the limit on reads is refused",
	                 more_reads_than_may_be_are_refused),
		WITH_HUB("the window's rooms count towards its limit like "
	                 "messages",
	                 rooms_count_in_the_window),
		WITH_HUB("the window stays within its limit",
	                 the_window_stays_within_its_limit),
		WITH_HUB("one read of the log serves all waiters in the queue",
	                 one_read_serves_all_who_queue),
		WITH_HUB("a read is delivered to its waiters share by share",
	                 a_read_is_given_share_by_share),
		WITH_HUB("a long page waits for its share, a short one does "
	                 "not",
	                 a_long_page_waits_for_its_share),
		WITH_HUB("every waiter for a long page is answered in the end",
	                 waiters_for_a_long_page_are_answered),
		WITH_HUB("a poll does not join a read that starts after its "
	                 "cursor, and loses nothing",
	                 no_poll_joins_a_read_that_starts_later),
		WITH_HUB("sharing a read with a client far behind repeats no "
	                 "message",
	                 sharing_a_read_gives_nothing_twice),
		WITH_HUB("a message that arrives during a read is not lost",
	                 a_message_during_a_read_is_not_lost),
		WITH_HUB("a message that a read saw before the hub did is not "
	                 "repeated",
	                 what_a_read_saw_is_not_given_again),
		WITH_HUB("a message that arrived and was evicted during a read "
	                 "is read again",
	                 dropped_while_read_it_is_read_again),
		WITH_HUB("waiters for a failed read are told",
	                 a_failed_read_is_told),
		WITH_HUB("removed messages are a gap for clients that lack "
	                 "them, and for no others",
	                 removed_messages_make_a_gap),
		WITH_HUB("an emptied room has a gap once",
	                 an_emptied_room_has_a_gap_once),
		WITH_HUB("a gap that the hub has not reached yet is reported "
	                 "once",
	                 a_gap_ahead_of_the_hub_is_told_once),
		WITH_HUB("a gap is reported even if the window reaches back to "
	                 "it",
	                 a_room_in_the_window_has_its_gap_too),
		WITH_HUB("a room's first message that arrives during a read is "
	                 "its earliest",
	                 a_first_message_during_a_read_is_the_earliest),
		WITH_HUB("a room that lost its oldest messages keeps the rest "
	                 "in the window",
	                 a_room_that_lost_its_oldest_keeps_the_rest),
		WITH_HUB("a changed room is read again, up to the change",
	                 a_changed_room_is_read_anew),
		WITH_HUB("... even if the hub has forgotten the room since",
	                 a_changed_room_that_was_forgotten_is_read_anew),
		WITH_HUB("a hole in the middle is a gap for a reader from before it",
	                 a_hole_in_the_middle_is_a_gap_for_who_was_before_it),
		WITH_HUB("a parked waiter is told of a message removed before "
	                 "it was delivered",
	                 parked_waiters_are_told_of_undelivered_messages),
		WITH_HUB("a message removed from the log but still in the "
	                 "window is delivered, or is a gap",
	                 what_left_the_log_but_not_the_window_is_a_gap),
		WITH_HUB("a page ends at 1000 messages and says if there are "
	                 "more",
	                 long_pages_end_at_a_thousand),
		WITH_HUB("a flood reaches parked waiters in pages of 1000",
	                 a_flood_reaches_parked_ones_in_pages),
		WITH_HUB("more is true only if the next poll will get messages",
	                 more_is_told_only_of_what_comes),
		WITH_HUB("a long page with unsaved messages loses none",
	                 a_long_page_with_unsaved_ones_loses_none),
		WITH_HUB("a cursor of another log gets the newest page and "
	                 "reset",
	                 another_logs_cursor_is_reset),
		WITH_HUB("a cursor of another log is answered in an empty room "
	                 "too",
	                 a_reset_in_an_empty_room_is_answered),
		WITH_HUB("a reset that is requested during the read for "
	                 "another one gets the next read",
	                 a_reset_during_a_reset_gets_the_next_read),
		WITH_HUB("a cursor ahead of the hub waits for one log check, "
	                 "and is reset if it is ahead of that",
	                 a_cursor_ahead_waits_for_one_look),
		WITH_HUB("a log check that was under way does not decide on a "
	                 "cursor",
	                 a_look_under_way_decides_nothing),
		WITH_HUB("when the log is replaced, all waiters are reset",
	                 a_replaced_log_resets_who_is_parked),
		WITH_HUB("when a backup is restored, waiters beyond its end "
	                 "are reset",
	                 a_restored_backup_resets_who_is_ahead),
		WITH_HUB("a cursor is valid up to where a later incarnation "
	                 "began",
	                 a_cursor_is_good_up_to_the_new_incarnation),
		WITH_HUB("a client that is not ahead of a new incarnation does "
	                 "not notice it",
	                 clients_not_ahead_notice_no_incarnation),
		WITH_HUB("a cursor of an unknown incarnation is decided by the "
	                 "next log check",
	                 a_tag_that_the_next_look_brings_is_good),
		WITH_HUB("a read that saw another log answers no poll",
	                 a_read_of_another_log_answers_no_poll),
		WITH_HUB("a read from before the log was replaced is not used",
	                 a_read_from_before_a_new_log_is_not_used),
		WITH_HUB("a read of a new log answers no cursor of the old one",
	                 a_read_of_a_new_log_answers_no_old_cursor),
		WITH_HUB("a read of a log that has become shorter answers no "
	                 "poll",
	                 a_read_of_a_shorter_log_answers_no_poll),
		WITH_HUB("undelivered messages go with their log",
	                 what_was_not_delivered_goes_with_its_log),
		WITH_EARLY_HUB("a poll before the first log read waits for it",
	                       an_early_poll_waits_for_the_log),
		WITH_EARLY_HUB("no poll waits for a log that cannot be read",
	                       no_poll_waits_for_a_log_that_fails),
		WITH_HUB("parked waiters stay while the log cannot be read",
	                 parked_waiters_stay_while_the_log_fails),
		WITH_HUB("a timeout gives an empty page and loses nothing",
	                 a_time_out_loses_nothing),
		WITH_HUB("a timeout during a read waits for the read",
	                 a_time_out_during_a_read_waits_for_it),
		WITH_HUB("a timeout before a log check waits for the check",
	                 a_time_out_before_a_look_waits_for_it),
		WITH_HUB("a poll with timeout 0 is answered at once",
	                 no_time_at_all_is_answered_at_once),
		WITH_HUB("a poll that is drained during a log read is told",
	                 a_poll_drained_during_a_read_is_told),
		WITH_HUB("a client that has left gets no answer, whatever it "
	                 "waited for",
	                 a_client_that_left_is_not_answered),
		WITH_HUB("a client that has left leaves no reference to its "
	                 "room",
	                 a_room_without_users_holds_nothing),
		WITH_HUB("a limited number of idle rooms is kept",
	                 idle_rooms_are_forgotten),
		WITH_HUB("a drained waiter gets a cursor to come back with",
	                 a_drained_waiter_can_come_back),
		WITH_HUB("a drained waiter that came with an id gets a cursor "
	                 "of the log",
	                 a_drained_waiter_with_an_id_gets_a_cursor),
		WITH_HUB("each drained waiter is told its own time to come "
	                 "back",
	                 drained_waiters_come_back_spread_out),
		WITH_HUB("a rendered page is kept no longer than its messages "
	                 "and its waiters",
	                 pages_are_kept_no_longer_than_their_messages),
		WITH_HUB("a rendered page is kept no longer than it may be given",
	                 pages_are_kept_no_longer_than_they_may_be_given),
		WITH_HUB("a client that asks again from its callback waits "
	                 "again",
	                 asking_again_at_once_waits_again),
		WITH_HUB("a waiter that asks again from each delivery has all "
	                 "messages once, in order",
	                 asking_again_from_each_delivery_has_all_once),
		WITH_HUB("a crowd that asks again from its callbacks shares each "
	                 "delivery",
	                 a_crowd_that_asks_again_shares_each_delivery),
		WITH_HUB("a client that changes rooms during delivery gets "
	                 "only messages after its cursor",
	                 changing_rooms_during_delivery_gets_only_news),
		WITH_HUB("a client that changes rooms during delivery gets "
	                 "nothing twice from a log read",
	                 changing_rooms_repeats_nothing_from_a_read),
		WITH_HUB("those with long pages have their turns, and plain ones come "
	                 "first",
	                 those_with_long_pages_have_their_turns),
		WITH_HUB("under long random load every client gets each "
	                 "message once",
	                 disorder_loses_nothing),
	};

	return cmocka_run_group_tests_name("hub", tests, NULL, NULL);
}
