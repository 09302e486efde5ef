/* Tests of the log's reads of several rooms. */
#include "store_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

/* ---- Several rooms ---- */

enum { FEW = 4 };

/* Reads the rooms whose names stand in `names`, with a space between. */
static struct rooms_page read_few(struct fixture *f, const char *names,
                                  int64_t after, int64_t limit, int64_t bytes,
                                  struct room_state states[FEW])
{
	struct room_name rooms[FEW];
	struct rooms_page page;
	char copy[80];
	size_t count = 0;

	snprintf(copy, sizeof copy, "%s", names);
	for (char *name = strtok(copy, " "); name; name = strtok(NULL, " "))
		rooms[count++] = room_named(name);
	forget(f);
	assert_done(f, store_read_rooms(f->reader, rooms, count, after, limit,
	                                bytes, note, f, states, &page));
	return page;
}

/* 1 to 9: lobby, room_1, room_7 and again. */
static void append_nine(struct fixture *f)
{
	static const char *const rooms[] = {"lobby", "room_1", "room_7"};

	for (size_t i = 0; i < 9; i++)
		append(f, rooms[i % LENGTH(rooms)], "x");
}

/* A message counts with 129 bytes. */
static void several_rooms_come_in_the_order_of_the_log(void **state)
{
	static const struct {
		const char *rooms;
		int64_t after, limit, bytes;
		const char *ids;
		int64_t upto;
		bool more;
	} rows[] = {
		{"lobby room_7", 0, 100, 0, "1 3 4 6 7 9 ", 9, false},
		{"room_7 lobby", 0, 100, 0, "1 3 4 6 7 9 ", 9, false},
		{"lobby room_1 room_7", 0, 100, 0, "1 2 3 4 5 6 7 8 9 ", 9, false},
		{"lobby room_1", 0, 100, 0, "1 2 4 5 7 8 ", 9, false},
		{"lobby room_1", 0, 6, 0, "1 2 4 5 7 8 ", 9, false},
		{"lobby room_1", 0, 5, 0, "1 2 4 5 7 ", 7, true},
		{"lobby room_1", 0, 1, 0, "1 ", 1, true},
		{"lobby room_1", 4, 2, 0, "5 7 ", 7, true},
		{"lobby room_1", 5, 2, 0, "7 8 ", 9, false},
		{"lobby room_1", 8, 1, 0, "", 9, false},
		{"lobby room_1", 9, 1, 0, "", 9, false},
		{"lobby room_1", 0, 100, 1, "1 ", 1, true},
		{"lobby room_1", 0, 100, 129, "1 ", 1, true},
		{"lobby room_1", 0, 100, 130, "1 2 ", 2, true},
		{"lobby room_1", 4, 100, 387, "5 7 8 ", 9, false},
		{"lobby room_1", 4, 2, 387, "5 7 ", 7, true},
		{"room_7", 0, 2, 0, "3 6 ", 6, true},
		{"nobody room_7 room_8", 0, 9, 0, "3 6 9 ", 9, false},
		{"nobody room_8", 0, 9, 0, "", 9, false},
		{"", 3, 9, 0, "", 9, false},
	};
	struct room_state states[FEW];
	struct fixture *f = *state;

	append_nine(f);
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct rooms_page page =
			read_few(f, rows[i].rooms, rows[i].after, rows[i].limit,
		                 rows[i].bytes, states);

		expect(text_is(buffer_text(&f->ids), rows[i].ids),
		       "row %zu: %.*s", i, TEXT_ARGS(buffer_text(&f->ids)));
		expect(page.upto == rows[i].upto, "row %zu: up to %lld", i,
		       (long long)page.upto);
		expect(page.more == rows[i].more, "row %zu", i);
		assert_int_equal(page.end.newest, 9);
	}
	read_few(f, "lobby room_7", 3, 3, 0, states);
	assert_text(buffer_text(&f->rooms), "lobby room_7 lobby ");
}

static void a_page_that_was_cut_ends_its_read(void **state)
{
	struct room_state states[FEW];
	struct fixture *f = *state;

	append_nine(f);
	assert_true(read_few(f, "lobby room_1", 0, 1, 0, states).more);
	append(f, "lobby", "z");
	struct rooms_page page = read_few(f, "lobby room_1", 9, 9, 0, states);
	assert_text(buffer_text(&f->contents), "z ");
	assert_int_equal(page.end.newest, 10);
}

static void several_rooms_come_with_their_states(void **state)
{
	struct room_state states[FEW];
	struct fixture *f = *state;

	append_nine(f);
	f->backend->execute(f, "DELETE FROM messages WHERE id IN (1, 5)");
	memset(states, 0x55, sizeof states);
	/* A page that is cut has them too. */
	read_few(f, "room_1 nobody lobby room_8", 0, 1, 0, states);
	assert_int_equal(states[0].earliest, 2);
	assert_int_equal(states[0].pruned, 5);
	assert_int_equal(states[1].earliest + states[1].pruned, 0);
	assert_int_equal(states[2].earliest, 4);
	assert_int_equal(states[2].pruned, 1);
	assert_int_equal(states[3].earliest + states[3].pruned, 0);
}

static void insert_oversize(struct fixture *f)
{
	f->backend->execute(
		f, "INSERT INTO messages (room_id, sender_id, sender_name,"
		   " content, sent_ms) VALUES (1, '9', 'x',"
		   " replace(hex(zeroblob(2500000)), '00', 'ab'), 0)");
}

static void rows_that_cannot_be_given_count_in_several_rooms(void **state)
{
	struct room_state states[FEW];
	struct fixture *f = *state;

	append(f, "lobby", "a");
	insert_oversize(f);
	append(f, "room_1", "b");
	struct rooms_page page = read_few(f, "lobby room_1", 0, 2, 0, states);
	assert_text(buffer_text(&f->ids), "1 ");
	assert_int_equal(page.upto, 2);
	assert_true(page.more);
	page = read_few(f, "lobby room_1", 1, 1, 0, states);
	assert_text(buffer_text(&f->ids), "");
	assert_int_equal(page.upto, 2);
	/* They take no bytes. */
	page = read_few(f, "lobby room_1", 1, 9, 129, states);
	assert_text(buffer_text(&f->ids), "3 ");
	assert_int_equal(page.upto, 3);
	assert_false(page.more);
}

static void several_rooms_are_read_from_a_new_database(void **state)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	struct room_state states[FEW];
	struct fixture *f = *state;
	char path[200];

	append_nine(f);
	read_few(f, "lobby room_1 room_7", 0, 9, 0, states);
	for (size_t i = 0; i < LENGTH(suffixes); i++) {
		snprintf(path, sizeof path, "%s%s", f->path, suffixes[i]);
		unlink(path);
	}
	append(f, "room_7", "y");
	struct rooms_page page = read_few(f, "lobby room_1 room_7", 0, 9, 0, states);
	assert_text(buffer_text(&f->contents), "y ");
	assert_int_equal(page.upto, 1);
}

/* ---- The same by a slow reader ---- */

enum { ROOMS = 200, SET = 100, MESSAGES = 3000, BATCH = 500 };

/* The log, as the test knows it: room_1 to room_200. */
struct model {
	size_t room[MESSAGES + 1]; /* by id; 0: it was removed */
	int64_t pruned[ROOMS + 1]; /* by room */
	int64_t highest; /* of these */
	struct random random;
};

/* The ids of a set are not of one room after another. */
static void append_batch(struct fixture *f, struct model *model, int64_t first)
{
	static const char xs[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
	struct message messages[BATCH];
	struct append batch[BATCH] = {0};
	uint32_t log;

	for (size_t i = 0; i < BATCH; i++) {
		int64_t id = first + (int64_t)i;

		model->room[id] = 1 + random_below(&model->random, ROOMS);
		messages[i] = message_in("lobby", xs + id % 50);
		room_name_from_number((int64_t)model->room[id],
		                      &messages[i].room);
		batch[i].message = &messages[i];
	}
	assert_done(f, store_append(f->writer, batch, BATCH, &log));
	assert_int_equal(messages[0].id, first);
}

static struct model *fill(struct fixture *f, uint64_t seed)
{
	struct model *model = memory_get(sizeof *model);

	model->random = random_from(seed);
	for (int64_t first = 1; first <= MESSAGES; first += BATCH)
		append_batch(f, model, first);
	return model;
}

static int64_t size_of_message(int64_t id)
{
	return 128 + 50 - id % 50;
}

/* Reads one message after another. */
static struct rooms_page read_slowly(struct fixture *f, const struct model *model,
                                     const bool *is_in, int64_t after,
                                     int64_t limit, int64_t bytes)
{
	struct rooms_page page = {.upto = MESSAGES};
	int64_t last = after, size = 0;

	forget(f);
	for (int64_t id = after + 1; id <= MESSAGES && !page.more; id++) {
		if (!is_in[model->room[id]])
			continue;
		page.more = f->visits == limit || (bytes > 0 && size >= bytes);
		if (page.more) {
			page.upto = last;
		} else {
			f->visits++;
			buffer_printf(&f->ids, "%lld ", (long long)id);
			size += size_of_message(id);
			last = id;
		}
	}
	return page;
}

static void choose_set(struct random *random, struct room_name rooms[SET],
                       bool is_in[ROOMS + 1])
{
	size_t count = 0;

	memset(is_in, 0, (ROOMS + 1) * sizeof *is_in);
	while (count < SET) {
		size_t room = 1 + random_below(random, ROOMS);

		if (is_in[room])
			continue;
		is_in[room] = true;
		room_name_from_number((int64_t)room, &rooms[count++]);
	}
}

static void a_hundred_rooms_are_read_as_by_a_slow_reader(void **state)
{
	struct fixture *f = *state;
	struct model *model = fill(f, 20);
	struct room_name rooms[SET];
	struct room_state states[SET];
	bool is_in[ROOMS + 1];

	for (int i = 0; i < 60; i++) {
		struct random *random = &model->random;
		size_t count = 1 + random_below(random, SET);
		int64_t after = (int64_t)random_below(random, MESSAGES + 1);
		int64_t limit = 1 + (int64_t)random_below(random, 1000);
		int64_t bytes = (int64_t)random_below(random, 100000);
		struct rooms_page page, slow;
		struct buffer ids = {0};

		bytes = i % 2 == 0 ? 0 : bytes;
		choose_set(random, rooms, is_in);
		for (size_t n = count; n < SET; n++)
			is_in[rooms[n].number] = false;
		slow = read_slowly(f, model, is_in, after, limit, bytes);
		buffer_add_text(&ids, buffer_text(&f->ids));
		forget(f);
		assert_done(f, store_read_rooms(f->reader, rooms, count, after,
		                                limit, bytes, note, f, states,
		                                &page));
		expect(text_equal(buffer_text(&ids), buffer_text(&f->ids)),
		       "set %d: '%.*s', not '%.*s'", i,
		       TEXT_ARGS(buffer_text(&f->ids)),
		       TEXT_ARGS(buffer_text(&ids)));
		expect(page.upto == slow.upto && page.more == slow.more,
		       "set %d: up to %lld, not %lld", i, (long long)page.upto,
		       (long long)slow.upto);
		buffer_release(&ids);
	}
	free(model);
}

int run_store_reads(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_STORE("several rooms are read in the order of the log, "
	                   "within limits",
	                   several_rooms_come_in_the_order_of_the_log),
		WITH_STORE("what was saved after a page that was cut is in the "
	                   "next one",
	                   a_page_that_was_cut_ends_its_read),
		WITH_STORE("several rooms come with their states",
	                   several_rooms_come_with_their_states),
		WITH_STORE("rows of several rooms that cannot be given are "
	                   "skipped, and count",
	                   rows_that_cannot_be_given_count_in_several_rooms),
		WITH_SQLITE("several rooms are read from a database that replaced "
	                    "another",
	                    several_rooms_are_read_from_a_new_database),
		WITH_STORE("sets of up to a hundred rooms are read as by a slow "
	                   "reader",
	                   a_hundred_rooms_are_read_as_by_a_slow_reader),
	};

	return run_with_each_backend(tests, LENGTH(tests));
}
