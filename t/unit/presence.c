/* Tests of presence within one process, with a clock of their own: who attends, and
 * when whom is told. */
#include "hub_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "presence/presence.h"

enum { GRACE_MS = 10000, BEGIN_MS = 1000000, VISITS_MAX = 6000 };

/* What a visit was told. */
struct listener {
	struct visit *visit;
	struct attendance *attendance;
	int told;
	char text[256]; /* the last time */
	bool is_busy;   /* can't be told now */
	bool leaves;    /* ... when it is told */
};

struct stage {
	struct fixture *hub;
	struct presence *presence;
	int64_t now_ms;
	int told; /* in all */
};

static struct stage stage;

static void end_visit(struct listener *l)
{
	visit_end(stage.presence, l->visit, stage.now_ms);
	attendance_drop(l->attendance);
	l->visit = NULL;
	l->attendance = NULL;
}

static bool hear(struct watch *watch)
{
	struct listener *l = watch->visit->owner;
	struct text text = watched_text(watch->room);

	if (l->is_busy)
		return false;
	l->told++;
	stage.told++;
	snprintf(l->text, sizeof l->text, "%.*s", TEXT_ARGS(text));
	if (l->leaves)
		end_visit(l);
	return true;
}

static int set_up_presence(void **state)
{
	if (set_up_hub(state) != 0)
		return -1;
	stage = (struct stage){.hub = *state, .now_ms = BEGIN_MS};
	const struct presence_options options = {
		.hub = &stage.hub->hub,
		.form = {.has_users = true, .users_most = 3},
		.grace_ms = GRACE_MS,
		.tell = hear,
	};
	stage.presence = presence_new(&options, stage.now_ms);
	return 0;
}

static int tear_down_presence(void **state)
{
	presence_free(stage.presence);
	return tear_down_hub(state);
}

static void finish_shares(void)
{
	while (presence_go_on(stage.presence, stage.now_ms))
		;
}

/* Lets time pass, tick by tick. */
static void pass(int64_t ms)
{
	for (int64_t end = stage.now_ms + ms; stage.now_ms < end;) {
		stage.now_ms += 100;
		presence_tick(stage.presence, stage.now_ms);
		finish_shares();
	}
}

/* NULL: anonymous. */
static struct attendance *attendance_of(const char *rooms, const char *id,
                                        const char *name)
{
	struct person person = {text_of(id), text_of(name), text_of("user")};
	struct feed *feed = hold(stage.hub, rooms, "");
	struct attendance *attendance =
		attendance_get(&stage.presence->attendances, feed,
	                       id != NULL ? &person : NULL);

	hub_drop_feed(&stage.hub->hub, feed);
	return attendance;
}

static void begin_with(struct listener *l, const char *rooms, const char *id,
                       const char *name, bool watches)
{
	const struct visit_terms terms = {.attends = true, .watches = watches};

	l->attendance = attendance_of(rooms, id, name);
	l->visit = visit_begin(stage.presence, l->attendance, &terms, l, stage.now_ms);
}

static struct listener visit_as(const char *rooms, const char *id, const char *name)
{
	struct listener l = {.told = 0};

	begin_with(&l, rooms, id, name, false);
	return l;
}

static struct listener visit_by(const char *rooms, const char *id)
{
	return visit_as(rooms, id, id);
}

/* "3 (1): ann bob", a room's count, anonymous and names. */
static const char *who_is_in(const char *name)
{
	static char line[512];
	struct room_name room_name = room_named(name);
	const struct roster_room *room =
		roster_find(stage.presence->roster, &room_name);
	size_t size = 0;

	if (room == NULL)
		return "0 (0):";
	size += (size_t)snprintf(line, sizeof line, "%zu (%d):",
	                         room->users + (size_t)room->anonymous,
	                         (int)room->anonymous);
	for (const struct list *at = room->members.next; at != &room->members;
	     at = at->next) {
		struct text person = LIST_OWNER(at, struct member, in_room)
		                             ->person.username;

		size += (size_t)snprintf(line + size, sizeof line - size, " %.*s",
		                         TEXT_ARGS(person));
	}
	return line;
}

#define assert_in(room, expected) assert_string_equal(who_is_in(room), expected)

/* ---- Attendance ---- */

static void a_user_stays_for_the_grace(void **state)
{
	struct listener ann = visit_by("a", "ann");

	(void)state;
	assert_in("a", "1 (0): ann");
	pass(60000);
	assert_in("a", "1 (0): ann");
	end_visit(&ann);
	pass(GRACE_MS - 100);
	assert_in("a", "1 (0): ann");
	pass(200);
	assert_in("a", "0 (0):");
}

static void a_poll_that_comes_back_changes_nothing(void **state)
{
	struct listener ann = visit_by("a,b", "ann");
	struct room_name a = room_named("a");
	const struct roster_room *room = roster_find(stage.presence->roster, &a);

	(void)state;
	for (int i = 0; i < 50; i++) {
		end_visit(&ann);
		pass(5000);
		ann = visit_by("a,b", "ann");
		pass(1000);
	}
	assert_int_equal(room->changes, 1);
	assert_in("b", "1 (0): ann");
	end_visit(&ann);
	pass(GRACE_MS + 100);
	assert_in("b", "0 (0):");
}

static void a_user_counts_once(void **state)
{
	struct listener phone = visit_by("a", "ann");
	struct listener laptop = visit_by("a", "ann");
	struct listener both = visit_by("a,b", "ann");

	(void)state;
	assert_in("a", "1 (0): ann");
	end_visit(&phone);
	end_visit(&both);
	pass(GRACE_MS + 100);
	assert_in("a", "1 (0): ann");
	assert_in("b", "0 (0):");
	both = visit_by("a,b", "ann");
	end_visit(&laptop);
	pass(GRACE_MS + 100);
	assert_in("a", "1 (0): ann");
	end_visit(&both);
	pass(GRACE_MS + 100);
	assert_in("a", "0 (0):");
}

static void the_name_that_came_last_wins(void **state)
{
	struct listener first = visit_as("a", "2", "ann");
	struct listener bob = visit_by("a", "bob");
	struct listener second = visit_as("a", "2", "Ann B");

	(void)state;
	assert_in("a", "2 (0): Ann B bob");
	end_visit(&first);
	first = visit_as("a", "2", "ann");
	assert_in("a", "2 (0): ann bob");
	struct listener third = visit_as("a,b", "2", "Annie");
	assert_in("a", "2 (0): Annie bob");
	end_visit(&first);
	end_visit(&second);
	end_visit(&third);
	end_visit(&bob);
	pass(GRACE_MS + 100);
	assert_in("a", "0 (0):");
}

/* The pass of a repeated request must notice it. */
static void a_rename_is_counted(void **state)
{
	struct attendance *ann = attendance_of("a", "2", "ann");
	unsigned before = ann->renames;

	(void)state;
	attendance_drop(attendance_of("a", "2", "ann"));
	assert_int_equal(ann->renames, before);
	attendance_drop(attendance_of("a", "2", "Ann"));
	assert_int_equal(ann->renames, before + 1);
	attendance_drop(ann);
}

static void the_anonymous_count_by_request(void **state)
{
	struct listener one = visit_by("a", NULL), two = visit_by("a", NULL);
	struct listener several = visit_by("a,b", NULL);

	(void)state;
	assert_in("a", "3 (3):");
	assert_in("b", "1 (1):");
	end_visit(&one);
	pass(1000);
	assert_in("a", "3 (3):");
	one = visit_by("a", NULL);
	assert_in("a", "3 (3):");
	end_visit(&one);
	end_visit(&two);
	end_visit(&several);
	pass(GRACE_MS + 100);
	assert_in("a", "0 (0):");
	assert_in("b", "0 (0):");
}

/* Otherwise those who come back would keep one who has left for ever. */
static void the_anonymous_take_the_place_of_the_last_absent(void **state)
{
	struct listener gone = visit_by("a", NULL), stays = visit_by("a", NULL);

	(void)state;
	end_visit(&gone);
	for (int i = 0; i < 4; i++) {
		pass(3000);
		end_visit(&stays);
		stays = visit_by("a", NULL);
	}
	assert_in("a", "1 (1):");
	end_visit(&stays);
	pass(GRACE_MS + 100);
}

static void a_shorter_grace_is_for_those_absent_too(void **state)
{
	struct listener ann = visit_by("a", "ann");

	(void)state;
	end_visit(&ann);
	presence_set_limits(stage.presence, 1000, 3);
	pass(1100);
	assert_in("a", "0 (0):");
	presence_set_limits(stage.presence, 0, 3);
	ann = visit_by("a", "ann");
	end_visit(&ann);
	pass(100);
	assert_in("a", "0 (0):");
}

/* Feeds that nobody follows are freed, and their attendances with them. */
static void nothing_is_kept_of_those_who_left(void **state)
{
	const struct hub *hub = &stage.hub->hub;

	(void)state;
	for (int i = 0; i < 300; i++) {
		char rooms[64], id[32];

		snprintf(rooms, sizeof rooms, "x%d,y%d", i, i);
		snprintf(id, sizeof id, "user %d", i);
		struct listener l = visit_by(rooms, i % 2 == 0 ? id : NULL);
		end_visit(&l);
	}
	assert_int_equal(stage.presence->attendances.absence_count, 300);
	pass(GRACE_MS + 100);
	assert_int_equal(stage.presence->attendances.absence_count, 0);
	for (size_t i = 0; i < ATTENDANCE_SLOTS; i++)
		assert_null(stage.presence->attendances.slots[i]);
	assert_int_equal(list_length(&hub->feeds.idle), hub->feeds.count);
}

static void the_longest_absent_leave_when_there_are_too_many(void **state)
{
	(void)state;
	for (int i = 0; i < ABSENCES_MAX + 10; i++) {
		char id[32];

		snprintf(id, sizeof id, "%d", i);
		struct listener l = visit_by("a", id);
		end_visit(&l);
	}
	assert_int_equal(stage.presence->attendances.absence_count, ABSENCES_MAX);
	struct room_name a = room_named("a");
	assert_int_equal(roster_find(stage.presence->roster, &a)->users, ABSENCES_MAX);
	const struct member *first =
		LIST_OWNER(roster_find(stage.presence->roster, &a)->members.next,
	                   struct member, in_room);
	assert_text(first->person.user_id, "10");
}

/* ---- Watching ---- */

static struct listener *watch_as(struct listener *l, const char *rooms, const char *id)
{
	*l = (struct listener){.told = 0};
	begin_with(l, rooms, id, id, true);
	return l;
}

#define assert_told(l, times, part)                                            \
	do {                                                                   \
		assert_int_equal((l)->told, times);                            \
		assert_non_null(strstr((l)->text, part));                      \
	} while (0)

static void a_visit_may_ask_for_the_rooms_as_they_are(void **state)
{
	struct listener l;

	(void)state;
	watch_as(&l, "a,b", "ann");
	visit_ask(l.visit);
	finish_shares();
	assert_told(&l, 2, "{\"type\":\"presence\",\"id\":null,\"room_id\":\"b\","
	            "\"count\":1,\"anonymous\":0,\"users\":[{\"user_id\":\"ann\","
	            "\"username\":\"ann\",\"sender_type\":\"user\"}]}");
	pass(5000);
	assert_int_equal(l.told, 2);
	end_visit(&l);
}

static void a_change_is_told_after_a_second(void **state)
{
	struct listener l;

	(void)state;
	watch_as(&l, "a", "ann");
	visit_ask(l.visit);
	pass(3000);
	struct listener bob = visit_by("a", "bob");
	pass(900);
	assert_int_equal(l.told, 1);
	struct listener cyd = visit_by("a", "cyd");
	pass(200);
	assert_told(&l, 2, "\"cyd\"");
	pass(2000);
	assert_int_equal(l.told, 2);
	end_visit(&bob);
	end_visit(&cyd);
	end_visit(&l);
}

static void what_changes_back_is_not_told(void **state)
{
	struct listener l, dan, once;

	(void)state;
	watch_as(&l, "a", "ann");
	visit_ask(l.visit);
	presence_set_limits(stage.presence, 0, 3);
	pass(2000);
	dan = visit_as("a", "dan", "dan");
	pass(2000);
	assert_int_equal(l.told, 2);
	for (int i = 0; i < 10; i++) {
		once = visit_by("a", "bob");
		end_visit(&once);
		pass(200);
	}
	pass(2000);
	assert_int_equal(l.told, 2);
	end_visit(&dan);
	end_visit(&l);
}

static void users_who_flap_are_told_once_a_second(void **state)
{
	struct listener l, bob;

	(void)state;
	presence_set_limits(stage.presence, 0, 3);
	watch_as(&l, "a", "ann");
	visit_ask(l.visit);
	for (int i = 0; i < 100; i++) {
		char name[32];

		snprintf(name, sizeof name, "bob %d", i);
		bob = visit_as("a", "bob", name);
		end_visit(&bob);
		pass(100);
		bob = visit_as("a", "bob", name);
		pass(100);
		end_visit(&bob);
	}
	assert_in_range(l.told, 10, 22);
	end_visit(&l);
}

static void many_are_told_less_often_and_share_a_text(void **state)
{
	struct listener *all = memory_get(VISITS_MAX * sizeof *all);
	const struct watching *watching = &stage.presence->watching;

	(void)state;
	for (int i = 0; i < VISITS_MAX; i++)
		watch_as(&all[i], "a", NULL);
	pass(VISITS_MAX + 2000);
	stage.told = 0;
	struct listener bob = visit_by("a", "bob");
	pass(VISITS_MAX - 200);
	assert_int_equal(stage.told, 0);
	stage.now_ms += 400;
	presence_tick(stage.presence, stage.now_ms);
	/* A share is short. */
	presence_go_on(stage.presence, stage.now_ms);
	assert_in_range(stage.told, 1, 100);
	int64_t before = watching->render_left;
	finish_shares();
	assert_int_equal(stage.told, VISITS_MAX);
	assert_true(watching->render_left >= before);
	for (int i = 0; i < VISITS_MAX; i++)
		end_visit(&all[i]);
	end_visit(&bob);
	free(all);
}

static void set_busy(struct listener *l, bool is_busy)
{
	l->is_busy = is_busy;
}

static void a_busy_client_is_told_later_of_the_room_as_it_is_then(void **state)
{
	struct listener l;

	(void)state;
	watch_as(&l, "a", "ann");
	visit_ask(l.visit);
	pass(2000);
	set_busy(&l, true);
	struct listener bob = visit_by("a", "bob");
	pass(2000);
	struct listener cyd = visit_by("a", "cyd");
	pass(2000);
	assert_int_equal(l.told, 1);
	set_busy(&l, false);
	pass(100);
	assert_told(&l, 2, "\"bob\"");
	assert_told(&l, 2, "\"cyd\"");
	pass(2000);
	assert_int_equal(l.told, 2);
	end_visit(&bob);
	end_visit(&cyd);
	end_visit(&l);
}

/* They are tried again with each tick, which has a hundred shares at most. */
static void many_busy_clients_do_not_keep_others_from_being_told(void **state)
{
	enum { BUSY = 20000, SHARES = 60 };
	struct listener *busy = memory_get(BUSY * sizeof *busy);
	struct listener l;

	(void)state;
	for (int i = 0; i < BUSY; i++) {
		watch_as(&busy[i], "b", NULL);
		busy[i].is_busy = true;
		visit_ask(busy[i].visit);
	}
	watch_as(&l, "a", "ann");
	pass(2000);
	struct listener bob = visit_by("a", "bob");
	for (int tick = 0; tick < 15; tick++) {
		stage.now_ms += 100;
		presence_tick(stage.presence, stage.now_ms);
		for (int share = 0; share < SHARES; share++)
			presence_go_on(stage.presence, stage.now_ms);
	}
	assert_non_null(strstr(l.text, "\"bob\""));
	for (int i = 0; i < BUSY; i++)
		end_visit(&busy[i]);
	end_visit(&bob);
	end_visit(&l);
	free(busy);
}

static void a_visit_may_end_when_it_is_told(void **state)
{
	struct listener l[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		watch_as(&l[i], "a,b", "ann");
		l[i].leaves = true;
	}
	struct listener bob = visit_by("a,b", "bob");
	pass(2000);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(l[i].told, 1);
		assert_null(l[i].visit);
	}
	end_visit(&bob);
}

/* A poll is away for a moment after each answer. */
static void a_change_while_nobody_watched_is_noticed(void **state)
{
	struct listener l;

	(void)state;
	watch_as(&l, "a", "ann");
	pass(5000);
	end_visit(&l);
	pass(3000);
	watch_as(&l, "a", "ann");
	pass(2000);
	assert_false(visit_has_changed(l.visit, l.visit->begun_ms - 2000));
	end_visit(&l);
	struct listener bob = visit_by("a", "bob");
	pass(3000);
	watch_as(&l, "a", "ann");
	pass(2000);
	assert_true(visit_has_changed(l.visit, l.visit->begun_ms - 2000));
	end_visit(&l);
	end_visit(&bob);
	pass(WATCHING_IDLE_MS + 100);
	assert_int_equal(stage.presence->watching.idle_count, 0);
	assert_int_equal(stage.presence->watching.text_bytes, 0);
}

static void texts_are_bounded(void **state)
{
	enum { ROOMS = 400, LONG = 128 };
	struct listener *all = memory_get(ROOMS * sizeof *all);
	struct listener *crowd = memory_get(100 * sizeof *crowd);
	struct buffer rooms = {0};

	(void)state;
	presence_set_limits(stage.presence, GRACE_MS, 10000);
	for (int i = 0; i < ROOMS; i++)
		buffer_printf(&rooms, "%sr%d", i > 0 ? "," : "", i);
	buffer_add(&rooms, "", 1);
	for (int i = 0; i < 100; i++) {
		char name[LONG + 1] = {0};

		memset(name, '"', LONG);
		snprintf(name, sizeof name, "%d", i);
		name[strlen(name)] = '"';
		crowd[i] = visit_as("r0,r1", name, name);
	}
	for (int i = 0; i < ROOMS; i++) {
		char room[16];

		snprintf(room, sizeof room, "r%d", i);
		watch_as(&all[i], room, "ann");
	}
	pass(3000);
	assert_true(stage.presence->watching.text_bytes <= WATCHING_TEXT_BYTES);
	for (int i = 0; i < ROOMS; i++)
		end_visit(&all[i]);
	for (int i = 0; i < 100; i++)
		end_visit(&crowd[i]);
	free(all);
	free(crowd);
	buffer_release(&rooms);
	assert_int_equal(stage.presence->watching.text_bytes, 0);
}

static void users_are_cut_and_all_are_counted(void **state)
{
	struct listener l[5];
	struct room_name a = room_named("a");
	struct buffer b = {0};

	(void)state;
	for (int i = 0; i < 5; i++) {
		char id[8];

		snprintf(id, sizeof id, "u%d", i);
		l[i] = visit_by("a", id);
	}
	presence_add_room(stage.presence, &b, &a);
	assert_text(buffer_text(&b),
	            "{\"room_id\":\"a\",\"count\":5,\"anonymous\":0,\"users\":["
	            "{\"user_id\":\"u0\",\"username\":\"u0\",\"sender_type\":\"user\"},"
	            "{\"user_id\":\"u1\",\"username\":\"u1\",\"sender_type\":\"user\"},"
	            "{\"user_id\":\"u2\",\"username\":\"u2\",\"sender_type\":\"user\"}"
	            "]}");
	buffer_release(&b);
	for (int i = 0; i < 5; i++)
		end_visit(&l[i]);
}

#define STAGED(title, function)                                                \
	TEST_WITH(title, function, set_up_presence, tear_down_presence, NULL)

int run_presence(void)
{
	static const struct CMUnitTest tests[] = {
		STAGED("a user stays for the grace after the last request",
		       a_user_stays_for_the_grace),
		STAGED("a poll that comes back within the grace changes nothing",
		       a_poll_that_comes_back_changes_nothing),
		STAGED("a user with several requests counts once",
		       a_user_counts_once),
		STAGED("the name that came last wins",
		       the_name_that_came_last_wins),
		STAGED("another name is counted, so that a pass notices it",
		       a_rename_is_counted),
		STAGED("the anonymous count by their requests",
		       the_anonymous_count_by_request),
		STAGED("the anonymous take the place of the last absent",
		       the_anonymous_take_the_place_of_the_last_absent),
		STAGED("a shorter grace is for those who are absent too",
		       a_shorter_grace_is_for_those_absent_too),
		STAGED("nothing is kept of those who left",
		       nothing_is_kept_of_those_who_left),
		STAGED("the longest absent leave when there are too many",
		       the_longest_absent_leave_when_there_are_too_many),
		STAGED("a visit may ask for the rooms as they are",
		       a_visit_may_ask_for_the_rooms_as_they_are),
		STAGED("a change is told after a second",
		       a_change_is_told_after_a_second),
		STAGED("what changes back is not told",
		       what_changes_back_is_not_told),
		STAGED("users who come and go are told once a second",
		       users_who_flap_are_told_once_a_second),
		STAGED("many are told less often, in short shares",
		       many_are_told_less_often_and_share_a_text),
		STAGED("a busy client is told later of the room as it is then",
		       a_busy_client_is_told_later_of_the_room_as_it_is_then),
		STAGED("many busy clients do not keep others from being told",
		       many_busy_clients_do_not_keep_others_from_being_told),
		STAGED("a visit may end when it is told",
		       a_visit_may_end_when_it_is_told),
		STAGED("a change while nobody watched is noticed",
		       a_change_while_nobody_watched_is_noticed),
		STAGED("the memory of texts is bounded", texts_are_bounded),
		STAGED("users are cut, and all are counted",
		       users_are_cut_and_all_are_counted),
	};

	return cmocka_run_group_tests_name("presence", tests, NULL, NULL);
}
