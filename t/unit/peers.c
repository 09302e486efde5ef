/* Tests of several longroom-pushd that tell each other who is here: over a bus in
 * memory that loses and mixes frames, with a clock of the tests' own. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "presence/peers.h"
#include "presence/presence_frame.h"

enum {
	NODES = 3,
	FRAMES_MAX = 1000,
	SEED = 20261122,
	START_MS = 5000000,
};

struct node {
	struct roster *roster; /* NULL: it does not run */
	struct peers *peers;
};

struct fixture {
	struct node nodes[NODES];
	uint64_t epochs; /* given out */
	int64_t now_ms;
	/* The frames on their way, to all. */
	struct text frames[FRAMES_MAX];
	size_t count;
	size_t sent;
	/* What is wrong with the bus. */
	size_t lose_every; /* 0: none */
	bool mixes;
	struct random random;
};

static void ignore_change(void *context, struct roster_room *room)
{
	(void)context;
	(void)room;
}

static void start(struct fixture *f, int which)
{
	struct node *node = &f->nodes[which];

	node->roster = roster_new(ignore_change, NULL);
	roster_keep_news(node->roster);
	node->peers = peers_new(node->roster, ++f->epochs);
}

static void kill_node(struct fixture *f, int which)
{
	peers_free(f->nodes[which].peers);
	roster_free(f->nodes[which].roster);
	f->nodes[which] = (struct node){0};
}

static int set_up(void **state)
{
	struct fixture *f = memory_get(sizeof *f);

	f->now_ms = START_MS;
	f->random = random_from(SEED);
	start(f, 0);
	start(f, 1);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < NODES; i++)
		kill_node(f, i);
	for (size_t i = 0; i < f->count; i++)
		free((void *)f->frames[i].data);
	free(f);
	return 0;
}

static void put_frame(struct fixture *f, struct text frame)
{
	f->sent++;
	if (f->lose_every > 0 && f->sent % f->lose_every == 0)
		return;
	assert_true(f->count < FRAMES_MAX);
	f->frames[f->count++] =
		(struct text){memory_copy(frame.data, frame.size), frame.size};
}

static void say(struct fixture *f, struct node *node)
{
	struct text frame;
	int64_t wait_ms;

	do {
		wait_ms = peers_say(node->peers, f->now_ms, &frame);
		if (frame.size > 0)
			put_frame(f, frame);
	} while (wait_ms == PEERS_PAUSE_MS);
}

static void forget(struct fixture *f, struct node *node)
{
	while (peers_forget(node->peers, f->now_ms) == PEERS_PAUSE_MS)
		;
}

static void deliver(struct fixture *f)
{
	for (size_t i = f->count; f->mixes && i > 1; i--) {
		size_t j = random_below(&f->random, i);
		struct text frame = f->frames[j];

		f->frames[j] = f->frames[i - 1];
		f->frames[i - 1] = frame;
	}
	/* A bus that mixes frames keeps the last one for the next second. */
	size_t kept = f->mixes && f->count > 0;
	for (size_t i = 0; i < f->count - kept; i++) {
		for (int n = 0; n < NODES; n++)
			if (f->nodes[n].peers != NULL)
				peers_take(f->nodes[n].peers, f->frames[i],
				           f->now_ms);
		free((void *)f->frames[i].data);
	}
	if (kept > 0)
		f->frames[0] = f->frames[f->count - 1];
	f->count = kept;
}

static void pass_seconds(struct fixture *f, int seconds)
{
	for (int i = 0; i < seconds; i++) {
		for (int n = 0; n < NODES; n++)
			if (f->nodes[n].peers != NULL)
				say(f, &f->nodes[n]);
		deliver(f);
		f->now_ms += 1000;
		for (int n = 0; n < NODES; n++)
			if (f->nodes[n].peers != NULL)
				forget(f, &f->nodes[n]);
	}
}

static struct text id_of(int number, char id[static 16])
{
	snprintf(id, 16, "%d", number);
	return text_of(id);
}

static void enter(struct fixture *f, int node, int number)
{
	struct room_name room = room_named("lobby");
	char id[16];
	struct text text = id_of(number, id);
	struct person person = {text, text, text_of("user")};

	assert_true(roster_enter(f->nodes[node].roster, &room, ROSTER_HERE, &person));
}

static void enter_many(struct fixture *f, int node, int first, int end)
{
	for (int i = first; i < end; i++)
		enter(f, node, i);
}

static void leave(struct fixture *f, int node, int number)
{
	struct room_name room = room_named("lobby");
	char id[16];

	roster_leave(f->nodes[node].roster, &room, ROSTER_HERE, id_of(number, id));
}

static void count_anonymous(struct fixture *f, int node, int64_t count)
{
	struct room_name room = room_named("lobby");

	assert_true(roster_count_anonymous(f->nodes[node].roster, &room, ROSTER_HERE,
	                                   count));
}

static size_t users(struct fixture *f, int node)
{
	struct room_name name = room_named("lobby");
	struct roster_room *room = roster_find(f->nodes[node].roster, &name);

	return room != NULL ? room->users : 0;
}

static int64_t anonymous(struct fixture *f, int node)
{
	struct room_name name = room_named("lobby");
	struct roster_room *room = roster_find(f->nodes[node].roster, &name);

	return room != NULL ? room->anonymous : 0;
}

#define assert_both(f, people, nobodies)                                       \
	do {                                                                   \
		for (int node_ = 0; node_ < 2; node_++) {                      \
			expect(users(f, node_) == (people), "%zu users in %d", \
			       users(f, node_), node_);                        \
			expect(anonymous(f, node_) == (nobodies),              \
			       "%d anonymous in %d", (int)anonymous(f, node_), \
			       node_);                                         \
		}                                                              \
	} while (0)

/* ---- Saying and hearing ---- */

static void a_change_is_known_elsewhere_a_second_later(void **state)
{
	struct fixture *f = *state;

	enter(f, 0, 1);
	enter(f, 1, 2);
	count_anonymous(f, 1, 4);
	pass_seconds(f, 1);
	assert_both(f, 2, 4);
	leave(f, 0, 1);
	count_anonymous(f, 0, 1);
	count_anonymous(f, 1, 0);
	pass_seconds(f, 1);
	assert_both(f, 1, 1);
}

static void a_user_of_both_counts_once(void **state)
{
	struct fixture *f = *state;

	enter(f, 0, 1);
	enter(f, 1, 1);
	pass_seconds(f, 12);
	assert_both(f, 1, 0);
	leave(f, 0, 1);
	pass_seconds(f, 12);
	assert_both(f, 1, 0);
	leave(f, 1, 1);
	pass_seconds(f, 1);
	assert_both(f, 0, 0);
}

static void who_stays_is_repeated(void **state)
{
	struct fixture *f = *state;

	enter_many(f, 0, 0, 105);
	count_anonymous(f, 0, 3);
	for (int i = 0; i < 100; i++) {
		pass_seconds(f, 1);
		assert_both(f, 105, 3);
	}
}

static void at_most_so_much_is_said_each_second(void **state)
{
	struct fixture *f = *state;

	pass_seconds(f, 20);
	assert_int_equal(f->sent, 2 * 20);
	enter_many(f, 0, 0, 20000);
	f->sent = 0;
	pass_seconds(f, 1);
	/* Less than 20 bytes each. */
	assert_in_range(f->sent, 20, 25);
	assert_both(f, 20000, 0);
	f->sent = 0;
	pass_seconds(f, 10);
	assert_in_range(f->sent, 30, 50);
	/* It was told twice more before it would have been forgotten. */
	pass_seconds(f, 30);
	assert_both(f, 20000, 0);
}

static void a_second_has_one_round(void **state)
{
	struct fixture *f = *state;
	struct text frame;

	enter(f, 0, 1);
	assert_int_equal(peers_say(f->nodes[0].peers, f->now_ms, &frame), 1000);
	assert_true(frame.size > 0);
	enter(f, 0, 2);
	assert_int_equal(peers_say(f->nodes[0].peers, f->now_ms + 400, &frame), 600);
	assert_int_equal(frame.size, 0);
	assert_int_equal(peers_say(f->nodes[0].peers, f->now_ms + 1000, &frame), 1000);
	assert_true(frame.size > 0);
}

/* ---- A bus that fails ---- */

static void lost_frames_are_made_up_for(void **state)
{
	struct fixture *f = *state;

	f->lose_every = 3;
	enter_many(f, 0, 0, 1000);
	enter_many(f, 1, 500, 2000);
	count_anonymous(f, 0, 7);
	pass_seconds(f, 35);
	assert_both(f, 2000, 7);
	for (int i = 0; i < 500; i++)
		leave(f, 0, i);
	count_anonymous(f, 0, 0);
	pass_seconds(f, 35);
	assert_both(f, 1500, 0);
}

static void all_frames_lost_for_a_while_are_made_up_for(void **state)
{
	struct fixture *f = *state;

	enter_many(f, 0, 0, 300);
	count_anonymous(f, 0, 7);
	pass_seconds(f, 1);
	f->lose_every = 1;
	leave(f, 0, 299);
	pass_seconds(f, 4);
	assert_int_equal(users(f, 1), 300);
	assert_int_equal(anonymous(f, 1), 0);
	pass_seconds(f, 30);
	assert_int_equal(users(f, 1), 0);
	assert_int_equal(users(f, 0), 299);
	f->lose_every = 0;
	pass_seconds(f, 2);
	assert_both(f, 299, 7);
}

static void mixed_frames_end_in_the_right_number(void **state)
{
	struct fixture *f = *state;

	f->mixes = true;
	for (int i = 0; i < 200; i++) {
		enter(f, 0, (int)random_below(&f->random, 50));
		leave(f, 0, (int)random_below(&f->random, 50));
		pass_seconds(f, 1);
	}
	for (int i = 0; i < 50; i++)
		leave(f, 0, i);
	enter_many(f, 0, 10, 20);
	count_anonymous(f, 1, 2);
	pass_seconds(f, 42);
	assert_both(f, 10, 2);
}

/* ---- Processes that end ---- */

static void a_killed_process_counts_nobody_twice(void **state)
{
	struct fixture *f = *state;

	enter_many(f, 0, 0, 1000);
	enter_many(f, 1, 1000, 2000);
	count_anonymous(f, 0, 10);
	count_anonymous(f, 1, 10);
	pass_seconds(f, 12);
	assert_both(f, 2000, 20);
	kill_node(f, 0);
	for (int i = 0; i < 3; i++) {
		pass_seconds(f, 1);
		assert_int_equal(users(f, 1), 2000);
	}
	/* Half of its users come back here, half elsewhere. */
	assert_int_equal(anonymous(f, 1), 10);
	start(f, 0);
	enter_many(f, 0, 0, 500);
	enter_many(f, 1, 500, 1000);
	count_anonymous(f, 0, 10);
	for (int i = 0; i < 40; i++) {
		pass_seconds(f, 1);
		assert_true(users(f, 0) <= 2000);
		assert_int_equal(users(f, 1), 2000);
		assert_int_equal(anonymous(f, 1), 20);
	}
	assert_both(f, 2000, 20);
}

static void a_new_process_is_told_all_at_once(void **state)
{
	struct fixture *f = *state;

	enter_many(f, 0, 0, 1000);
	pass_seconds(f, 12);
	kill_node(f, 1);
	start(f, 1);
	pass_seconds(f, 2);
	assert_both(f, 1000, 0);
}

static void users_of_a_dead_process_are_forgotten(void **state)
{
	struct fixture *f = *state;

	enter_many(f, 0, 0, 1000);
	count_anonymous(f, 0, 5);
	pass_seconds(f, 10);
	kill_node(f, 0);
	pass_seconds(f, 1);
	assert_int_equal(anonymous(f, 1), 5);
	pass_seconds(f, 1);
	assert_int_equal(anonymous(f, 1), 0);
	assert_int_equal(peers_count(f->nodes[1].peers, f->now_ms, PEERS_LIVE_MS), 1);
	pass_seconds(f, 17);
	assert_int_equal(users(f, 1), 1000);
	pass_seconds(f, 11);
	assert_int_equal(users(f, 1), 0);
}

static void a_process_that_ends_says_so(void **state)
{
	struct fixture *f = *state;

	enter_many(f, 0, 0, 2000);
	count_anonymous(f, 0, 5);
	pass_seconds(f, 5);
	put_frame(f, peers_say_end(f->nodes[0].peers));
	kill_node(f, 0);
	pass_seconds(f, 1);
	assert_int_equal(anonymous(f, 1), 0);
	pass_seconds(f, 8);
	assert_int_equal(users(f, 1), 2000);
	pass_seconds(f, 1);
	assert_int_equal(users(f, 1), 0);
}

static void forgetting_is_done_in_pieces(void **state)
{
	struct fixture *f = *state;
	struct peers *peers = f->nodes[1].peers;

	enter_many(f, 0, 0, 2500);
	pass_seconds(f, 1);
	put_frame(f, peers_say_end(f->nodes[0].peers));
	kill_node(f, 0);
	deliver(f);
	f->now_ms += PEERS_RETURN_MS;
	assert_int_equal(peers_forget(peers, f->now_ms), PEERS_PAUSE_MS);
	assert_int_equal(users(f, 1), 1500);
	assert_int_equal(peers_forget(peers, f->now_ms), PEERS_PAUSE_MS);
	assert_int_equal(peers_forget(peers, f->now_ms), PEERS_SECOND_MS);
	assert_int_equal(users(f, 1), 0);
}

/* ---- Others on the bus ---- */

static void hear_of(struct fixture *f, uint64_t epoch, int number)
{
	struct presence_writer writer = {0};
	struct room_name room = room_named("lobby");
	char id[16];
	struct text text = id_of(number, id);

	presence_frame_begin(&writer, epoch, false);
	presence_frame_add(&writer, &(struct statement){
		STATEMENT_HERE, &room, {text, text, text_of("user")}, 0});
	peers_take(f->nodes[1].peers, buffer_text(&writer.bytes), f->now_ms);
	presence_writer_release(&writer);
}

static void the_64th_peer_is_refused_until_another_is_gone(void **state)
{
	struct fixture *f = *state;

	kill_node(f, 0);
	for (int i = 1; i <= 70; i++)
		hear_of(f, 1000 + (uint64_t)i, i);
	assert_int_equal(users(f, 1), 63);
	assert_int_equal(peers_count(f->nodes[1].peers, f->now_ms, PEERS_LIVE_MS),
	                 63);
	pass_seconds(f, 20);
	for (int i = 1; i <= 62; i++)
		hear_of(f, 1000 + (uint64_t)i, i);
	pass_seconds(f, 10);
	assert_int_equal(users(f, 1), 62);
	hear_of(f, 1070, 70);
	hear_of(f, 1069, 69);
	assert_int_equal(users(f, 1), 63);
}

static void forged_frames_change_nothing(void **state)
{
	static const char forged[] =
		"\x80\0\0\0\0\0\0\0\x63\0\1\5lobby\3\1" "1\2\1" "9\0";
	struct fixture *f = *state;
	struct peers *peers = f->nodes[1].peers;

	enter(f, 0, 1);
	pass_seconds(f, 1);
	for (size_t size = 0; size < sizeof forged; size++) {
		char *copy = memory_copy(forged, size);

		peers_take(peers, (struct text){copy, size}, f->now_ms);
		free(copy);
	}
	assert_both(f, 1, 0);
	/* In the name of a peer they last until that speaks again. */
	peers_take(peers, text_of("\xff"), f->now_ms);
	hear_of(f, 1, 55);
	peers_take(peers, (struct text){"\x80\0\0\0\0\0\0\0\1\1", 10}, f->now_ms);
	pass_seconds(f, 35);
	assert_both(f, 1, 0);
}

static void a_process_may_hear_itself(void **state)
{
	struct fixture *f = *state;
	struct peers *peers = f->nodes[1].peers;

	kill_node(f, 0);
	assert_int_equal(peers_count(peers, f->now_ms, PEERS_LIVE_MS), 0);
	enter(f, 1, 1);
	pass_seconds(f, 1);
	assert_int_equal(peers_count(peers, f->now_ms, PEERS_LIVE_MS), 1);
	/* Otherwise who left would count for 30 s longer. */
	leave(f, 1, 1);
	assert_int_equal(users(f, 1), 0);
	hear_of(f, 2, 1);
	assert_int_equal(users(f, 1), 0);
}

static void without_a_roster_peers_are_only_counted(void **state)
{
	struct fixture *f = *state;
	struct peers *peers = peers_new(NULL, 99);

	enter(f, 0, 1);
	say(f, &f->nodes[0]);
	peers_take(peers, f->frames[0], f->now_ms);
	assert_int_equal(peers_count(peers, f->now_ms, PEERS_LIVE_MS), 1);
	assert_int_equal(peers_forget(peers, f->now_ms + PEERS_FORGET_MS),
	                 PEERS_SECOND_MS);
	assert_int_equal(peers_count(peers, f->now_ms, PEERS_LIVE_MS), 0);
	peers_free(peers);
	deliver(f);
}

#define ROW(title, function) TEST_WITH(title, function, set_up, tear_down, NULL)

int run_peers(void)
{
	const struct CMUnitTest tests[] = {
		ROW("a change is known elsewhere a second later",
		    a_change_is_known_elsewhere_a_second_later),
		ROW("a user of both counts once", a_user_of_both_counts_once),
		ROW("whoever stays is repeated, and stays", who_stays_is_repeated),
		ROW("everything is told within 10 s, a tenth a second",
		    at_most_so_much_is_said_each_second),
		ROW("changes are told at most once a second",
		    a_second_has_one_round),
		ROW("lost frames are made up for", lost_frames_are_made_up_for),
		ROW("so is a time in which all are lost",
		    all_frames_lost_for_a_while_are_made_up_for),
		ROW("mixed frames end in the right number",
		    mixed_frames_end_in_the_right_number),
		ROW("after a kill and a restart nobody counts twice, and nobody is "
		    "gone", a_killed_process_counts_nobody_twice),
		ROW("a new process is told everything at once",
		    a_new_process_is_told_all_at_once),
		ROW("a dead process's anonymous are forgotten after 3 s, its users "
		    "after 30", users_of_a_dead_process_are_forgotten),
		ROW("when a process ends, its anonymous go at once, its users after "
		    "10 s", a_process_that_ends_says_so),
		ROW("forgetting is done in pieces", forgetting_is_done_in_pieces),
		ROW("a 64th peer is refused until another one is gone",
		    the_64th_peer_is_refused_until_another_is_gone),
		ROW("forged frames change nothing for long",
		    forged_frames_change_nothing),
		ROW("a process may hear itself", a_process_may_hear_itself),
		ROW("without a roster, peers are only counted",
		    without_a_roster_peers_are_only_counted),
	};

	return cmocka_run_group_tests_name("peers", tests, NULL, NULL);
}
