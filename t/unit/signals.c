/* Tests of the hub with signals: messages sent with "store":false, which patient
 * waiters (polls) get later than others (streams). */
#include "hub_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "loop/turn.h"

/* A poll that waits from now on. */
static struct client *poll_from_now(struct fixture *f, int which, const char *rooms)
{
	client_of(f, which)->waiter.is_patient = true;
	return park(f, which, rooms);
}

static void poll_after(struct client *c, const char *rooms, const char *after)
{
	c->waiter.is_patient = true;
	ask(c, rooms, after);
	run_reads(c->fixture);
}

/* What is due a second after the first signal. */
static void give_due(struct fixture *f)
{
	int64_t due_ms = hub_due_ms(&f->hub);

	assert_true(due_ms > 0);
	hub_give_due(&f->hub, due_ms - 1);
	assert_int_equal(hub_due_ms(&f->hub), due_ms);
	hub_give_due(&f->hub, due_ms);
}

#define assert_none_due(f) assert_int_equal(hub_due_ms(&(f)->hub), 0)

/* ---- When they come ---- */

static void polls_get_a_signal_a_second_later(void **state)
{
	struct fixture *f = *state;
	struct client *stream = park(f, 0, "room_1");
	struct client *poll = poll_from_now(f, 1, "room_1");
	int64_t before_ms = clock_monotonic_ms();

	say_signal(f, "room_1");
	int64_t after_ms = clock_monotonic_ms();
	assert_got(stream, 1, "u1 ");
	assert_int_equal(poll->answers, 0);
	assert_in_range(hub_due_ms(&f->hub), before_ms + 1000, after_ms + 1000);
	give_due(f);
	assert_got(poll, 1, "u1 ");
	assert_none_due(f);
	ask_again(poll);
	assert_state(poll, WAITER_PARKED);
	assert_none_due(f);
}

static void later_signals_do_not_postpone_the_first(void **state)
{
	struct fixture *f = *state;
	struct client *poll = poll_from_now(f, 0, "room_1");

	say_signal(f, "room_1");
	int64_t due_ms = hub_due_ms(&f->hub);
	say_signal(f, "lobby");
	say_signal(f, "room_1");
	assert_int_equal(hub_due_ms(&f->hub), due_ms);
	give_due(f);
	assert_got(poll, 1, "u1 u3 ");
}

static void a_message_brings_the_signals_before_it(void **state)
{
	struct fixture *f = *state;
	struct client *stream = park(f, 0, "room_1");
	struct client *poll = poll_from_now(f, 1, "room_1");
	struct client *other = poll_from_now(f, 2, "lobby");

	say_signal(f, "room_1");
	ask_again(stream);
	say(f, "lobby");
	assert_got(other, 1, "1 ");
	say_signal(f, "room_1");
	ask_again(stream);
	say(f, "room_1");
	assert_got(stream, 3, "2 ");
	assert_got(poll, 1, "u1 u2 2 ");
	assert_none_due(f);
}

static void other_unsaved_messages_wake_polls_at_once(void **state)
{
	struct fixture *f = *state;
	struct client *poll = poll_from_now(f, 0, "room_1");

	say_unsaved(f, "room_1");
	assert_got(poll, 1, "u1 ");
	ask_again(poll);
	say_signal(f, "room_1");
	say_unsaved(f, "room_1");
	assert_got(poll, 2, "u2 u3 ");
	ask_again(poll);
	/* In one frame, either way round. */
	append_signal(f, "room_1");
	append_unsaved(f, "room_1");
	append_signal(f, "room_1");
	hub_deliver(&f->hub);
	assert_got(poll, 3, "u4 u5 u6 ");
	assert_none_due(f);
}

/* ---- Who gets what ---- */

static void those_who_lack_the_same_share_a_delivery(void **state)
{
	struct fixture *f = *state;
	struct client *a = poll_from_now(f, 0, "room_1");

	say(f, "lobby");
	struct client *b = poll_from_now(f, 1, "room_1");
	say_unsaved(f, "lobby");
	struct client *c = poll_from_now(f, 2, "room_1");
	say_signal(f, "room_1");
	give_due(f);
	assert_got(a, 1, "u2 ");
	assert_got(b, 1, "u2 ");
	assert_got(c, 1, "u2 ");
	assert_ptr_equal(a->delivery, b->delivery);
	assert_ptr_equal(a->delivery, c->delivery);
}

static void a_message_is_shared_by_polls_and_streams(void **state)
{
	struct fixture *f = *state;
	struct client *poll = poll_from_now(f, 0, "room_1");
	struct client *stream = park(f, 1, "room_1");

	say(f, "room_1");
	assert_got(poll, 1, "1 ");
	assert_ptr_equal(poll->delivery, stream->delivery);
}

static void who_comes_in_between_gets_what_it_lacks(void **state)
{
	struct fixture *f = *state;
	struct client *early = poll_from_now(f, 0, "room_1");

	say_signal(f, "room_1");
	struct client *between = poll_from_now(f, 1, "room_1");
	say_signal(f, "room_1");
	struct client *late = poll_from_now(f, 2, "room_1");
	give_due(f);
	assert_got(early, 1, "u1 u2 ");
	assert_got(between, 1, "u2 ");
	assert_int_equal(late->answers, 0);
	assert_state(late, WAITER_PARKED);
	say(f, "room_1");
	assert_got(late, 1, "1 ");
}

static void a_message_gives_each_what_it_lacks(void **state)
{
	struct fixture *f = *state;
	struct client *early = poll_from_now(f, 0, "room_1");

	say_signal(f, "room_1");
	struct client *late = poll_from_now(f, 1, "room_1");
	say(f, "room_1");
	assert_got(early, 1, "u1 1 ");
	assert_got(late, 1, "1 ");
}

static void a_poll_that_lacks_signals_alone_waits(void **state)
{
	struct fixture *f = *state;
	struct client *poll = poll_from_now(f, 0, "room_1");

	say(f, "room_1");
	say_signal(f, "room_1");
	ask_again(poll);
	assert_state(poll, WAITER_PARKED);
	give_due(f);
	assert_got(poll, 2, "u1 ");
	say_signal(f, "room_1");
	say(f, "room_1");
	ask_again(poll);
	assert_got(poll, 3, "u2 2 ");
}

static void a_stream_that_lacks_signals_gets_them_at_once(void **state)
{
	struct fixture *f = *state;
	struct client *stream = park(f, 0, "room_1");

	say(f, "room_1");
	say_signal(f, "room_1");
	ask_again(stream);
	assert_got(stream, 2, "u1 ");
}

static void a_poll_that_may_not_wait_gets_signals_at_once(void **state)
{
	struct fixture *f = *state;
	struct client *poll = poll_from_now(f, 0, "room_1");

	say(f, "room_1");
	say_signal(f, "room_1");
	expect(cursor_parse(text_of(poll->cursor), &poll->waiter.cursor), "%s",
	       poll->cursor);
	poll->waiter.must_answer = true;
	ask_for(poll, "room_1");
	assert_got(poll, 2, "u1 ");
}

/* ---- Several rooms ---- */

static void polls_of_several_rooms_wait_for_any(void **state)
{
	struct fixture *f = *state;
	struct client *several = poll_from_now(f, 0, "room_1,room_2");
	struct client *all = poll_from_now(f, 1, "*");
	struct client *one = poll_from_now(f, 2, "room_1");

	say_signal(f, "room_1");
	say_signal(f, "lobby");
	say_signal(f, "room_2");
	assert_int_equal(several->answers + all->answers + one->answers, 0);
	say(f, "room_2");
	assert_got(several, 1, "u1 u3 1 ");
	assert_got(all, 1, "u1 u2 u3 1 ");
	assert_int_equal(one->answers, 0);
	give_due(f);
	assert_got(one, 1, "u1 ");
	assert_none_due(f);
}

/* In any order in one frame. */
static void a_message_of_another_room_brings_them(void **state)
{
	struct fixture *f = *state;
	struct client *poll = poll_from_now(f, 0, "room_1,room_2");

	append_signal(f, "room_1");
	append_unsaved(f, "room_2");
	hub_deliver(&f->hub);
	assert_got(poll, 1, "u1 u2 ");
	ask_again(poll);
	append_unsaved(f, "room_1");
	append_signal(f, "room_2");
	hub_deliver(&f->hub);
	assert_got(poll, 2, "u3 u4 ");
	assert_none_due(f);
}

/* A page of more than TURN_LONG_BYTES. */
static void say_long_signals(struct fixture *f, const char *room)
{
	struct room_name name = room_named(room);
	struct buffer json = {0};

	buffer_printf(&json, "{\"name\":\"long\",\"content\":\"%0*d\"}",
	              TURN_LONG_BYTES + 1, 0);
	hub_append_signal(&f->hub, &name, buffer_text(&json));
	hub_deliver(&f->hub);
	buffer_release(&json);
}

static void long_pages_of_signals_have_their_turns(void **state)
{
	struct fixture *f = *state;
	struct client *polls[CLIENTS];
	char rooms[32];
	int answers = 0;

	for (int i = 0; i < CLIENTS; i++) {
		snprintf(rooms, sizeof rooms, "room_1,room_%d", i + 2);
		polls[i] = poll_from_now(f, i, rooms);
	}
	say_long_signals(f, "room_1");
	f->hub.render_left = 1;
	hub_give_due(&f->hub, hub_due_ms(&f->hub) + 1000);
	for (int i = 0; i < CLIENTS; i++)
		answers += polls[i]->answers;
	assert_int_equal(answers, 1);
	assert_state(polls[CLIENTS - 1], WAITER_QUEUED);
	while (hub_go_on(&f->hub))
		;
	for (int i = 0; i < CLIENTS; i++)
		assert_got(polls[i], 1, "long ");
	assert_none_due(f);
}

/* ---- Leaving, and being sent away ---- */

static void a_poll_may_leave_before_its_signals(void **state)
{
	struct fixture *f = *state;
	struct client *a = poll_from_now(f, 0, "room_1");
	struct client *b = poll_from_now(f, 1, "room_1");
	struct client *several = poll_from_now(f, 2, "room_1,room_2");

	say_signal(f, "room_1");
	hub_leave(&f->hub, &a->waiter);
	hub_leave(&f->hub, &several->waiter);
	give_due(f);
	assert_got(b, 1, "u1 ");
	ask_again(b);
	say_signal(f, "room_1");
	hub_leave(&f->hub, &b->waiter);
	assert_none_due(f);
	say_signal(f, "room_1");
	assert_none_due(f);
}

static void a_poll_whose_time_is_up_gets_its_signals(void **state)
{
	struct fixture *f = *state;
	struct client *a = poll_from_now(f, 0, "room_1");

	say_signal(f, "room_1");
	struct client *b = poll_from_now(f, 1, "room_1");
	assert_true(hub_time_out(&f->hub, &a->waiter));
	assert_true(hub_time_out(&f->hub, &b->waiter));
	assert_got(a, 1, "u1 ");
	assert_got(b, 1, "");
	ask_again(a);
	ask_again(b);
	assert_state(a, WAITER_PARKED);
	assert_state(b, WAITER_PARKED);
	say(f, "room_1");
	assert_got(a, 2, "1 ");
	assert_got(b, 2, "1 ");
}

static void a_drained_poll_gets_its_signals(void **state)
{
	struct fixture *f = *state;
	struct client *a = poll_from_now(f, 0, "room_1");
	struct client *many = poll_from_now(f, 1, "lobby");

	say_signal(f, "room_1");
	say_long_signals(f, "lobby");
	hub_drain(&f->hub, 2);
	hub_drain_waiter(&f->hub, &a->waiter);
	hub_drain_waiter(&f->hub, &many->waiter);
	assert_got(a, 1, "u1 ");
	assert_in_range(a->retry_ms, 1, 1000);
	assert_got(many, 1, "");
	assert_in_range(many->retry_ms, 1, 1000);
	ask_again(a);
	assert_got(a, 2, "");
}

static void another_log_loses_no_signals(void **state)
{
	struct fixture *f = *state;
	struct client *poll = poll_from_now(f, 0, "room_1");

	say_signal(f, "room_1");
	hub_start_over(&f->hub, OTHER_LOG, 0);
	assert_got(poll, 1, "u1 ");
	assert_none_due(f);
}

static void a_removal_loses_no_signals(void **state)
{
	struct fixture *f = *state;
	struct client *poll = client_of(f, 0);

	say_many(f, "room_1", 3);
	poll_after(poll, "room_1", "3");
	say_signal(f, "room_1");
	save(f, "room_1");
	f->log.messages[3].removed = true;
	look(f);
	tell_change(f, "room_1", false);
	run_reads(f);
	assert_got(poll, 1, "");
	assert_true(poll->gap);
	ask_again(poll);
	assert_state(poll, WAITER_PARKED);
	give_due(f);
	assert_got(poll, 2, "u1 ");
}

/* ---- The window ---- */

static void the_window_drops_none_that_is_put_off(void **state)
{
	struct fixture *f = *state;
	struct client *poll = poll_from_now(f, 0, "room_1");

	say(f, "lobby");
	say_signal(f, "room_1");
	/* So that the message has to go, and can. */
	hub_set_limits(&f->hub, f->hub.window.bytes - 1, INT64_MAX);
	assert_int_equal(poll->answers, 0);
	hub_set_limits(&f->hub, 0, INT64_MAX);
	assert_got(poll, 1, "u1 ");
	assert_none_due(f);
	assert_int_equal(f->hub.window.count, 0);
}

static void signals_push_no_saved_messages_out(void **state)
{
	struct fixture *f = *state;
	const struct window *window = &f->hub.window;
	struct client *c = client_of(f, 0);

	say_many(f, "room_1", 100);
	for (int i = 0; i < 20000; i++)
		say_signal(f, i % 2 == 0 ? "room_1" : "lobby");
	assert_int_equal(window->from, 0);
	assert_in_range(window->signal_bytes, WINDOW_BYTES / 8 - 1000,
	                WINDOW_BYTES / 8);
	ask(c, "room_1", "99");
	run_reads(f);
	hub_leave(&f->hub, &c->waiter);
	int asked = f->log.asked;
	ask(c, "room_1", "0");
	assert_int_equal(c->count, 100);
	assert_int_equal(f->log.asked, asked);
	drop_window(f);
	assert_int_equal(window->signal_bytes, 0);
}

static void lists_that_wait_for_their_turn_lose_none(void **state)
{
	struct fixture *f = *state;
	struct client *polls[CLIENTS];
	char rooms[32];

	/* An eighth has two of the signals. */
	hub_set_limits(&f->hub, INT64_C(8) * 5 * TURN_LONG_BYTES / 2, INT64_MAX);
	for (int i = 0; i < CLIENTS; i++) {
		snprintf(rooms, sizeof rooms, "room_1,room_%d", i + 2);
		polls[i] = poll_from_now(f, i, rooms);
	}
	f->hub.render_left = 0;
	for (int i = 0; i < 3; i++)
		say_long_signals(f, "room_1");
	while (hub_go_on(&f->hub))
		;
	for (int i = 0; i < CLIENTS; i++)
		assert_got(polls[i], 1, "long long long ");
}

/* ---- Many at once ---- */

enum { MANY = 10 * TURN_DEADLINES };

static int answers_of(const struct client *clients)
{
	int sum = 0;

	for (int i = 0; i < MANY; i++)
		sum += clients[i].answers;
	return sum;
}

static void many_rooms_that_are_due_have_their_turns(void **state)
{
	struct fixture *f = *state;
	struct client *clients = memory_get(MANY * sizeof *clients);
	char room[32], name[32];
	int turns = 0;

	for (int i = 0; i < MANY; i++) {
		clients[i].fixture = f;
		list_init(&clients[i].waiter.link);
		snprintf(room, sizeof room, "room_%d", i + 1);
		poll_after(&clients[i], room, "now");
		say_signal(f, room);
	}
	int64_t end_ms = clock_monotonic_ms() + 1000;
	while (hub_due_ms(&f->hub) > 0) {
		int before = answers_of(clients);

		hub_give_due(&f->hub, end_ms);
		assert_in_range(answers_of(clients) - before, 1, TURN_DEADLINES);
		turns++;
	}
	assert_int_equal(answers_of(clients), MANY);
	assert_true(turns >= MANY / TURN_DEADLINES);
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof name, "u%d ", i + 1);
		assert_got(&clients[i], 1, name);
		forget_answer(&clients[i]);
		buffer_release(&clients[i].names);
	}
	free(clients);
}

/* A room in which people type all the time. */
static void a_poll_is_woken_once_a_second(void **state)
{
	struct fixture *f = *state;
	struct client *poll = poll_from_now(f, 0, "room_1");
	int seen = 0;

	poll->then = ask_again;
	for (int second = 1; second <= 10; second++) {
		for (int i = 0; i < 10; i++)
			say_signal(f, "room_1");
		give_due(f);
		assert_int_equal(poll->answers, second);
		seen += (int)poll->count;
	}
	assert_int_equal(seen, 100);
}

int run_signals(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_HUB("streams get a signal at once, polls a second later",
	                 polls_get_a_signal_a_second_later),
		WITH_HUB("later signals do not postpone the first",
	                 later_signals_do_not_postpone_the_first),
		WITH_HUB("a message brings polls the signals before it, in order",
	                 a_message_brings_the_signals_before_it),
		WITH_HUB("other messages that are in no log wake polls at once",
	                 other_unsaved_messages_wake_polls_at_once),
		WITH_HUB("polls that lack the same signals share a delivery",
	                 those_who_lack_the_same_share_a_delivery),
		WITH_HUB("polls and streams share a message's delivery",
	                 a_message_is_shared_by_polls_and_streams),
		WITH_HUB("a poll that comes between signals gets those after it, and "
	                 "is not woken for nothing",
	                 who_comes_in_between_gets_what_it_lacks),
		WITH_HUB("a message gives each poll the signals that it lacks",
	                 a_message_gives_each_what_it_lacks),
		WITH_HUB("a poll that lacks signals alone waits for a second",
	                 a_poll_that_lacks_signals_alone_waits),
		WITH_HUB("a stream that lacks signals gets them at once",
	                 a_stream_that_lacks_signals_gets_them_at_once),
		WITH_HUB("a poll that may not wait gets signals at once",
	                 a_poll_that_may_not_wait_gets_signals_at_once),
		WITH_HUB("polls of several rooms and of all get signals with a message "
	                 "of any",
	                 polls_of_several_rooms_wait_for_any),
		WITH_HUB("a message of another room in the same frame brings signals",
	                 a_message_of_another_room_brings_them),
		WITH_HUB("long pages of signals for several rooms have their turns",
	                 long_pages_of_signals_have_their_turns),
		WITH_HUB("a poll may leave before it gets its signals",
	                 a_poll_may_leave_before_its_signals),
		WITH_HUB("a poll whose time is up gets its signals, once",
	                 a_poll_whose_time_is_up_gets_its_signals),
		WITH_HUB("a drained poll gets its signals, if they are few",
	                 a_drained_poll_gets_its_signals),
		WITH_HUB("signals are not lost when the log is replaced",
	                 another_log_loses_no_signals),
		WITH_HUB("signals are not lost when messages are removed",
	                 a_removal_loses_no_signals),
		WITH_HUB("the window drops no signal that is put off",
	                 the_window_drops_none_that_is_put_off),
		WITH_HUB("signals push no saved messages out of the window",
	                 signals_push_no_saved_messages_out),
		WITH_HUB("lists that wait for their turn lose no signals, however many",
	                 lists_that_wait_for_their_turn_lose_none),
		WITH_HUB("many rooms whose signals are due have their turns",
	                 many_rooms_that_are_due_have_their_turns),
		WITH_HUB("a poll is woken once a second while people type",
	                 a_poll_is_woken_once_a_second),
	};

	return cmocka_run_group_tests_name("signals", tests, NULL, NULL);
}
