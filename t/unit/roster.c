/* Tests of the roster: who is in which room, as sources tell it. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "presence/roster.h"

enum { SEED = 20261122, OTHER = 1, ANOTHER = 2, ALL = 1000000 };

struct fixture {
	struct roster *roster;
	size_t changes;
};

static void count_change(void *context, struct roster_room *room)
{
	struct fixture *f = context;

	(void)room;
	f->changes++;
}

static int set_up(void **state)
{
	struct fixture *f = memory_get(sizeof *f);

	f->roster = roster_new(count_change, f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	roster_free(f->roster);
	free(f);
	return 0;
}

static struct person person_of(const char *id, const char *name)
{
	return (struct person){text_of(id), text_of(name), text_of("user")};
}

static bool enter_as(struct fixture *f, const char *room, unsigned source,
                     const char *id, const char *name)
{
	struct room_name in = room_named(room);
	struct person person = person_of(id, name);

	return roster_enter(f->roster, &in, source, &person);
}

static void enter(struct fixture *f, const char *room, unsigned source,
                  const char *id)
{
	assert_true(enter_as(f, room, source, id, id));
}

static void leave(struct fixture *f, const char *room, unsigned source,
                  const char *id)
{
	struct room_name in = room_named(room);

	roster_leave(f->roster, &in, source, text_of(id));
}

static void count(struct fixture *f, const char *room, unsigned source, int64_t n)
{
	struct room_name in = room_named(room);

	assert_true(roster_count_anonymous(f->roster, &in, source, n));
}

static struct roster_room *find(struct fixture *f, const char *name)
{
	struct room_name room = room_named(name);

	return roster_find(f->roster, &room);
}

/* "id=name id=name +anonymous", or "" for no room. */
static void assert_room(struct fixture *f, const char *name, const char *expected)
{
	struct roster_room *room = find(f, name);
	struct buffer found = {0};

	if (room != NULL) {
		for (struct list *at = room->members.next; at != &room->members;
		     at = at->next) {
			const struct person *person =
				&LIST_OWNER(at, struct member, in_room)->person;

			buffer_printf(&found, "%.*s=%.*s ",
			              TEXT_ARGS(person->user_id),
			              TEXT_ARGS(person->username));
		}
		buffer_printf(&found, "+%d", (int)room->anonymous);
		assert_int_equal(list_length(&room->members), room->users);
	}
	assert_text(buffer_text(&found), expected);
	buffer_release(&found);
}

/* ---- Who is there ---- */

static void users_are_there_in_the_order_of_coming(void **state)
{
	struct fixture *f = *state;

	assert_room(f, "lobby", "");
	enter(f, "lobby", ROSTER_HERE, "zoe");
	enter(f, "lobby", OTHER, "ann");
	enter(f, "room_1", ROSTER_HERE, "bob");
	enter(f, "lobby", ROSTER_HERE, "max");
	assert_room(f, "lobby", "zoe=zoe ann=ann max=max +0");
	assert_room(f, "room_1", "bob=bob +0");
	leave(f, "lobby", ROSTER_HERE, "zoe");
	enter(f, "lobby", ROSTER_HERE, "zoe");
	assert_room(f, "lobby", "ann=ann max=max zoe=zoe +0");
}

static void a_user_of_several_sources_counts_once(void **state)
{
	struct fixture *f = *state;

	enter(f, "lobby", ROSTER_HERE, "ann");
	enter(f, "lobby", OTHER, "ann");
	enter(f, "lobby", ANOTHER, "ann");
	assert_int_equal(f->changes, 1);
	assert_room(f, "lobby", "ann=ann +0");
	leave(f, "lobby", ROSTER_HERE, "ann");
	leave(f, "lobby", ANOTHER, "ann");
	leave(f, "lobby", ANOTHER, "ann");
	assert_room(f, "lobby", "ann=ann +0");
	assert_int_equal(f->changes, 1);
	leave(f, "lobby", OTHER, "ann");
	assert_room(f, "lobby", "");
	assert_int_equal(f->changes, 2);
}

static void repeating_changes_nothing(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 3; i++) {
		enter(f, "lobby", ROSTER_HERE, "ann");
		count(f, "lobby", OTHER, 7);
	}
	assert_int_equal(f->changes, 2);
	assert_int_equal(find(f, "lobby")->changes, 2);
	for (int i = 0; i < 3; i++) {
		leave(f, "lobby", ROSTER_HERE, "ann");
		leave(f, "lobby", ROSTER_HERE, "bob");
		count(f, "lobby", ANOTHER, 0);
	}
	assert_int_equal(f->changes, 3);
	assert_room(f, "lobby", "+7");
}

static void the_name_that_came_last_wins(void **state)
{
	struct fixture *f = *state;

	enter_as(f, "lobby", ROSTER_HERE, "1", "ann");
	enter_as(f, "lobby", OTHER, "1", "Ann");
	assert_room(f, "lobby", "1=Ann +0");
	assert_int_equal(f->changes, 2);
	enter_as(f, "lobby", ROSTER_HERE, "1", "annie");
	assert_room(f, "lobby", "1=annie +0");
	assert_int_equal(f->changes, 3);
}

static void names_that_are_only_repeated_rename_nobody(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 3; i++) {
		enter_as(f, "lobby", OTHER, "1", "ann");
		enter_as(f, "lobby", ANOTHER, "1", "Ann");
	}
	assert_room(f, "lobby", "1=Ann +0");
	assert_int_equal(f->changes, 2);
}

static void a_renamed_user_may_be_told_by_its_own_texts(void **state)
{
	struct fixture *f = *state;
	struct room_name room = room_named("lobby");
	struct person person;

	enter_as(f, "lobby", ROSTER_HERE, "1", "ann");
	struct member *member = LIST_OWNER(find(f, "lobby")->members.next,
	                                   struct member, in_room);
	person = member->person;
	person.username = member->person.sender_type;
	person.sender_type = member->person.username;
	assert_true(roster_enter(f->roster, &room, ROSTER_HERE, &person));
	assert_text(member->person.username, "user");
	assert_text(member->person.sender_type, "ann");
}

static void anonymous_are_added_over_the_sources(void **state)
{
	struct fixture *f = *state;

	count(f, "lobby", ROSTER_HERE, 2);
	count(f, "lobby", OTHER, 5);
	assert_room(f, "lobby", "+7");
	count(f, "lobby", ROSTER_HERE, 0);
	count(f, "lobby", OTHER, 1);
	assert_room(f, "lobby", "+1");
	count(f, "lobby", OTHER, 0);
	assert_room(f, "lobby", "");
}

static void a_room_that_is_held_stays(void **state)
{
	struct fixture *f = *state;
	struct room_name name = room_named("lobby");
	struct roster_room *room = roster_hold(f->roster, &name);

	room->told = f;
	assert_ptr_equal(room, roster_hold(f->roster, &name));
	enter(f, "lobby", ROSTER_HERE, "ann");
	leave(f, "lobby", ROSTER_HERE, "ann");
	assert_ptr_equal(find(f, "lobby"), room);
	assert_ptr_equal(room->told, f);
	assert_int_equal(room->changes, 2);
	roster_drop(f->roster, room);
	assert_ptr_equal(find(f, "lobby"), room);
	roster_drop(f->roster, room);
	assert_null(find(f, "lobby"));
}

static void drop_room(void *context, struct roster_room *room)
{
	if (room->users == 0)
		roster_drop(*(struct roster **)context, room);
}

static void a_room_may_be_dropped_when_its_last_user_leaves(void **state)
{
	struct fixture f = {0};

	(void)state;
	f.roster = roster_new(drop_room, &f.roster);
	for (int i = 0; i < 2; i++) {
		struct room_name name = room_named("lobby");

		roster_hold(f.roster, &name);
		enter(&f, "lobby", ROSTER_HERE, "ann");
		leave(&f, "lobby", ROSTER_HERE, "ann");
		assert_null(find(&f, "lobby"));
	}
	roster_free(f.roster);
}

/* ---- Limits ---- */

static bool enter_number(struct fixture *f, unsigned source, int number)
{
	char room[32], id[32];

	snprintf(room, sizeof room, "room_%d", 1 + number / 10);
	snprintf(id, sizeof id, "%d", number);
	return enter_as(f, room, source, id, id);
}

static void a_roster_that_is_full_takes_nobody_else(void **state)
{
	struct fixture *f = *state;
	struct room_name lobby = room_named("lobby");
	int number = 0;

	while (number < ROSTER_MEMBERS_MAX && enter_number(f, OTHER, number))
		number++;
	/* Others leave some to this process. */
	assert_int_equal(number, ROSTER_MEMBERS_MAX - ROSTER_MEMBERS_OWN);
	assert_false(roster_count_anonymous(f->roster, &lobby, OTHER, 1));
	assert_true(enter_number(f, OTHER, 0));
	/* Those whom several know cost as much for each. */
	assert_false(enter_number(f, OTHER + 1, 0));
	while (number < 2 * ROSTER_MEMBERS_MAX &&
	       enter_number(f, ROSTER_HERE, number))
		number++;
	assert_int_equal(number, ROSTER_MEMBERS_MAX);
	assert_null(find(f, "lobby"));
	assert_int_equal(f->changes, ROSTER_MEMBERS_MAX);
	leave(f, "room_1", OTHER, "0");
	assert_true(enter_number(f, ROSTER_HERE, number));
}

/* ---- What is no longer repeated ---- */

static void what_others_do_not_repeat_expires(void **state)
{
	struct fixture *f = *state;

	enter(f, "lobby", ROSTER_HERE, "zoe");
	roster_set_time(f->roster, 1000);
	enter(f, "lobby", OTHER, "ann");
	enter(f, "lobby", OTHER, "bob");
	enter(f, "lobby", ANOTHER, "max");
	count(f, "lobby", OTHER, 5);
	roster_set_time(f->roster, 2000);
	enter(f, "lobby", OTHER, "ann");
	assert_int_equal(roster_expire_users(f->roster, OTHER, 1000, ALL), 0);
	assert_int_equal(roster_expire_users(f->roster, OTHER, 1001, ALL), 1);
	assert_room(f, "lobby", "zoe=zoe ann=ann max=max +5");
	assert_int_equal(roster_expire_anonymous(f->roster, OTHER, 1001, ALL), 1);
	assert_room(f, "lobby", "zoe=zoe ann=ann max=max +0");
	assert_int_equal(roster_expire_users(f->roster, OTHER, 2001, ALL), 1);
	assert_room(f, "lobby", "zoe=zoe max=max +0");
}

static void no_more_expire_at_once_than_are_asked_for(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 25; i++)
		enter_number(f, OTHER, i);
	assert_int_equal(roster_expire_users(f->roster, OTHER, 1, 10), 10);
	assert_int_equal(roster_expire_users(f->roster, OTHER, 1, 10), 10);
	assert_int_equal(roster_expire_users(f->roster, OTHER, 1, 10), 5);
	assert_null(find(f, "room_1"));
	assert_null(find(f, "room_3"));
}

/* ---- What this process tells ---- */

static void add_statement(struct buffer *b, const struct statement *statement)
{
	buffer_printf(b, "%s ", statement->room->string);
	if (statement->kind == STATEMENT_ANONYMOUS)
		buffer_printf(b, "+%d, ", (int)statement->anonymous);
	else if (statement->kind == STATEMENT_LEFT)
		buffer_printf(b, "-%.*s, ", TEXT_ARGS(statement->person.user_id));
	else
		buffer_printf(b, "%.*s=%.*s, ",
		              TEXT_ARGS(statement->person.user_id),
		              TEXT_ARGS(statement->person.username));
}

static void assert_news(struct fixture *f, const char *expected)
{
	struct statement statement;
	struct buffer found = {0};

	while (roster_take_news(f->roster, &statement))
		add_statement(&found, &statement);
	assert_text(buffer_text(&found), expected);
	buffer_release(&found);
}

static void what_this_process_changes_is_news_once(void **state)
{
	struct fixture *f = *state;

	roster_keep_news(f->roster);
	enter(f, "lobby", ROSTER_HERE, "ann");
	enter(f, "lobby", OTHER, "bob");
	count(f, "lobby", ROSTER_HERE, 3);
	count(f, "lobby", OTHER, 4);
	enter(f, "lobby", ROSTER_HERE, "max");
	assert_news(f, "lobby ann=ann, lobby max=max, lobby +3, ");
	enter(f, "lobby", ROSTER_HERE, "ann");
	enter_as(f, "lobby", OTHER, "ann", "Ann");
	count(f, "lobby", ROSTER_HERE, 3);
	leave(f, "lobby", OTHER, "bob");
	assert_news(f, "");
	enter_as(f, "lobby", ROSTER_HERE, "max", "Max");
	leave(f, "lobby", ROSTER_HERE, "ann");
	count(f, "lobby", ROSTER_HERE, 0);
	assert_news(f, "lobby max=Max, lobby -ann, lobby +0, ");
	assert_news(f, "");
}

static void who_came_and_left_before_it_was_told_has_left(void **state)
{
	struct fixture *f = *state;

	roster_keep_news(f->roster);
	for (int i = 0; i < 1000; i++) {
		enter(f, "lobby", ROSTER_HERE, "ann");
		leave(f, "lobby", ROSTER_HERE, "ann");
		leave(f, "lobby", ROSTER_HERE, "ann");
	}
	assert_null(find(f, "lobby"));
	assert_int_equal(roster_users_here(f->roster), 1);
	assert_news(f, "lobby -ann, ");
	assert_int_equal(roster_users_here(f->roster), 0);
	enter(f, "lobby", ROSTER_HERE, "ann");
	leave(f, "lobby", ROSTER_HERE, "ann");
	enter(f, "lobby", ROSTER_HERE, "ann");
	assert_news(f, "lobby ann=ann, ");
}

static void what_was_told_longest_ago_is_told_again_first(void **state)
{
	struct fixture *f = *state;
	struct statement statement;
	struct buffer found = {0};

	roster_keep_news(f->roster);
	enter(f, "lobby", ROSTER_HERE, "ann");
	enter(f, "lobby", ROSTER_HERE, "bob");
	enter(f, "lobby", ROSTER_HERE, "max");
	count(f, "lobby", ROSTER_HERE, 2);
	assert_false(roster_take_user(f->roster, &statement));
	assert_false(roster_take_anonymous(f->roster, &statement));
	assert_news(f, "lobby ann=ann, lobby bob=bob, lobby max=max, lobby +2, ");
	enter_as(f, "lobby", ROSTER_HERE, "bob", "Bob");
	assert_news(f, "lobby bob=Bob, ");
	for (int i = 0; i < 4; i++) {
		assert_true(roster_take_user(f->roster, &statement));
		add_statement(&found, &statement);
	}
	assert_true(roster_take_anonymous(f->roster, &statement));
	add_statement(&found, &statement);
	assert_text(buffer_text(&found), "lobby ann=ann, lobby max=max, "
	                                 "lobby bob=Bob, lobby ann=ann, lobby +2, ");
	assert_int_equal(roster_users_here(f->roster), 3);
	assert_int_equal(roster_anonymous_here(f->roster), 1);
	buffer_release(&found);
}

/* ---- Against a slow reference ---- */

enum { SLOW_ROOMS = 4, SLOW_USERS = 12, SLOW_SOURCES = 4, SLOW_NAMES = 3 };

struct slow_user {
	int said[SLOW_SOURCES]; /* name + 1 as last said; 0: not there */
	int name;
	int order; /* of coming */
};

struct slow_room {
	struct slow_user users[SLOW_USERS];
	int anonymous[SLOW_SOURCES];
	/* What one that is told the news, and nothing else, knows of source 0. */
	int known[SLOW_USERS];
	int64_t known_anonymous;
};

struct slow {
	struct slow_room rooms[SLOW_ROOMS];
	int came;
};

static bool slow_is_there(const struct slow_user *user)
{
	for (int i = 0; i < SLOW_SOURCES; i++)
		if (user->said[i] != 0)
			return true;
	return false;
}

static void slow_enter(struct slow *slow, struct slow_user *user, int source,
                       int name)
{
	if (!slow_is_there(user))
		user->order = ++slow->came;
	if (user->said[source] != name + 1)
		user->name = name;
	user->said[source] = name + 1;
}

static const char *const slow_room_names[] = {"lobby", "room_1", "room_2", "a"};
static const char *const slow_ids[] = {"0", "1", "2", "3", "4",  "5",
                                       "6", "7", "8", "9", "10", "11"};
static const char *const slow_names[] = {"ann", "Ann", "annie"};

/* "" if nobody is there. */
static void slow_render(const struct slow_room *room, struct buffer *b)
{
	int after = 0, anonymous = 0;
	const struct slow_user *next;

	do {
		next = NULL;
		for (int i = 0; i < SLOW_USERS; i++) {
			const struct slow_user *user = &room->users[i];

			if (slow_is_there(user) && user->order > after &&
			    (next == NULL || user->order < next->order))
				next = user;
		}
		if (next != NULL) {
			buffer_printf(b, "%s=%s ", slow_ids[next - room->users],
			              slow_names[next->name]);
			after = next->order;
		}
	} while (next != NULL);
	for (int i = 0; i < SLOW_SOURCES; i++)
		anonymous += room->anonymous[i];
	if (b->size > 0 || anonymous > 0)
		buffer_printf(b, "+%d", anonymous);
}

static void assert_same_rooms(struct fixture *f, const struct slow *slow)
{
	for (int i = 0; i < SLOW_ROOMS; i++) {
		struct buffer expected = {0};

		slow_render(&slow->rooms[i], &expected);
		buffer_add(&expected, "", 1);
		assert_room(f, slow_room_names[i], expected.data);
		buffer_release(&expected);
	}
}

static int slow_index(const char *const *names, struct text name)
{
	int i = 0;

	while (!text_is(name, names[i]))
		i++;
	return i;
}

static void hear_news(struct fixture *f, struct slow *slow)
{
	struct statement s;

	while (roster_take_news(f->roster, &s)) {
		struct slow_room *room = &slow->rooms[slow_index(
			slow_room_names, room_name_text(s.room))];

		if (s.kind == STATEMENT_ANONYMOUS)
			room->known_anonymous = s.anonymous;
		else
			room->known[slow_index(slow_ids, s.person.user_id)] =
				s.kind == STATEMENT_HERE;
	}
	for (int i = 0; i < SLOW_ROOMS; i++) {
		struct slow_room *room = &slow->rooms[i];

		assert_int_equal(room->known_anonymous, room->anonymous[0]);
		for (int u = 0; u < SLOW_USERS; u++)
			assert_int_equal(room->known[u],
			                 room->users[u].said[0] != 0);
	}
}

static void act_at_random(struct fixture *f, struct slow *slow,
                          struct random *random)
{
	size_t in = random_below(random, SLOW_ROOMS);
	size_t who = random_below(random, SLOW_USERS);
	unsigned source = (unsigned)random_below(random, SLOW_SOURCES);
	int name = (int)random_below(random, SLOW_NAMES);
	struct slow_room *room = &slow->rooms[in];

	switch (random_below(random, 8)) {
	case 0:
	case 1:
	case 2:
		enter_as(f, slow_room_names[in], source, slow_ids[who],
		         slow_names[name]);
		slow_enter(slow, &room->users[who], (int)source, name);
		break;
	case 3:
	case 4:
	case 5:
		leave(f, slow_room_names[in], source, slow_ids[who]);
		room->users[who].said[source] = 0;
		break;
	case 6:
		room->anonymous[source] = name;
		count(f, slow_room_names[in], source, name);
		break;
	default:
		hear_news(f, slow);
	}
}

static void random_rosters_are_as_a_slow_one_says(void **state)
{
	struct random random = random_from(SEED);

	(void)state;
	for (int run = 0; run < 50; run++) {
		struct slow slow = {0};
		struct fixture f = {0};

		f.roster = roster_new(count_change, &f);
		roster_keep_news(f.roster);
		for (int i = 0; i < 1000; i++) {
			act_at_random(&f, &slow, &random);
			assert_same_rooms(&f, &slow);
		}
		hear_news(&f, &slow);
		roster_free(f.roster);
	}
}

#define ROW(title, function) TEST_WITH(title, function, set_up, tear_down, NULL)

int run_roster(void)
{
	const struct CMUnitTest tests[] = {
		ROW("users are there in the order in which they came",
		    users_are_there_in_the_order_of_coming),
		ROW("a user of several sources counts once, until the last one "
		    "says otherwise", a_user_of_several_sources_counts_once),
		ROW("repeating changes nothing", repeating_changes_nothing),
		ROW("the name that came last wins, and is a change",
		    the_name_that_came_last_wins),
		ROW("two sources that repeat different names rename nobody",
		    names_that_are_only_repeated_rename_nobody),
		ROW("new names may be the old ones' own bytes",
		    a_renamed_user_may_be_told_by_its_own_texts),
		ROW("anonymous are added over the sources",
		    anonymous_are_added_over_the_sources),
		ROW("a room that is held stays, with what its holder keeps there",
		    a_room_that_is_held_stays),
		ROW("a room may be dropped while its last user leaves",
		    a_room_may_be_dropped_when_its_last_user_leaves),
		ROW("a full roster takes nobody else, and others can't fill it",
		    a_roster_that_is_full_takes_nobody_else),
		ROW("what others do not repeat expires",
		    what_others_do_not_repeat_expires),
		ROW("no more expires at once than is asked for",
		    no_more_expire_at_once_than_are_asked_for),
		ROW("what this process changes is news, once",
		    what_this_process_changes_is_news_once),
		ROW("a user who comes and goes is one piece of news",
		    who_came_and_left_before_it_was_told_has_left),
		ROW("what was told longest ago is told again first",
		    what_was_told_longest_ago_is_told_again_first),
		TEST("random rosters are as a slow one says",
		     random_rosters_are_as_a_slow_one_says),
	};

	return cmocka_run_group_tests_name("roster", tests, NULL, NULL);
}
