/* Tests of the log's reads of several rooms, and of all. */
#include "store_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

/* ---- Several rooms ---- */

enum { FEW = 4 };

static struct store_range range_after(int64_t after, int64_t limit, int64_t bytes)
{
	return (struct store_range){.direction = STORE_AFTER,
	                            .id = after,
	                            .limit = limit,
	                            .bytes = bytes};
}

/* Reads the rooms whose names stand in `names`, with a space between. */
static struct rooms_page read_few(struct fixture *f, const char *names,
                                  int64_t after, int64_t limit, int64_t bytes,
                                  struct room_state states[FEW])
{
	struct store_range range = range_after(after, limit, bytes);
	struct room_name rooms[FEW];
	struct rooms_page page = {.states = states};
	char copy[80];
	size_t count = 0;

	snprintf(copy, sizeof copy, "%s", names);
	for (char *name = strtok(copy, " "); name; name = strtok(NULL, " "))
		rooms[count++] = room_named(name);
	forget(f);
	assert_done(f, store_read_rooms(f->reader, rooms, count, &range, note, f,
	                                &page));
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

enum { ROOMS = 200, SET = 100, MESSAGES = 3000, BATCH = 500, REMOVALS_MAX = 2 };

/* The log, as the test knows it: room_1 to room_200. */
struct model {
	size_t room[MESSAGES + 1]; /* by id; 0: it was removed */
	int64_t pruned[ROOMS + 1]; /* by room */
	int removals[MESSAGES + 1]; /* by id, from one room after another */
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
		struct store_range range = range_after(after, limit, bytes);
		page.states = states;
		assert_done(f, store_read_rooms(f->reader, rooms, count, &range,
		                                note, f, &page));
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

/* ---- All rooms ---- */

/* What a read of all rooms has given, beside the messages. */
struct all {
	struct rooms_page page;
	struct room_gap gaps[FEW];
	struct rooms_gaps removed;
	struct buffer gap_text; /* "lobby:4 room_1:5 " */
};

static void read_all(struct fixture *f, int64_t after, int64_t limit,
                     int64_t bytes, size_t most, struct all *all)
{
	struct store_range range = range_after(after, limit, bytes);

	forget(f);
	assert_in_range(most, 1, FEW);
	all->removed = (struct rooms_gaps){.gaps = all->gaps, .most = most};
	assert_done(f, store_read_all(f->reader, &range, note, f, &all->removed,
	                              &all->page));
	assert_in_range(all->removed.count, 0, most);
	buffer_clear(&all->gap_text);
	for (size_t i = 0; i < all->removed.count; i++)
		buffer_printf(&all->gap_text, "%s:%lld ",
		              all->gaps[i].room.string,
		              (long long)all->gaps[i].removed);
}

struct all_row {
	int64_t after, limit, bytes;
	size_t most;
	const char *ids, *gaps;
	int64_t upto;
	bool more;
};

static void read_all_rows(struct fixture *f, const struct all_row *rows,
                          size_t count, int64_t pruned)
{
	for (size_t i = 0; i < count; i++) {
		const struct all_row *row = &rows[i];
		struct all all = {0};

		read_all(f, row->after, row->limit, row->bytes, row->most, &all);
		expect(text_is(buffer_text(&f->ids), row->ids), "row %zu: %.*s",
		       i, TEXT_ARGS(buffer_text(&f->ids)));
		expect(text_is(buffer_text(&all.gap_text), row->gaps),
		       "row %zu: %.*s", i, TEXT_ARGS(buffer_text(&all.gap_text)));
		expect(all.page.upto == row->upto, "row %zu: up to %lld", i,
		       (long long)all.page.upto);
		expect(all.page.more == row->more, "row %zu", i);
		assert_int_equal(all.removed.pruned, pruned);
		assert_int_equal(all.page.end.newest, 9);
		buffer_release(&all.gap_text);
	}
}

static void all_rooms_come_in_the_order_of_the_log(void **state)
{
	static const struct all_row rows[] = {
		{0, 100, 0, 1, "1 2 3 4 5 6 7 8 9 ", "", 9, false},
		{0, 9, 0, 1, "1 2 3 4 5 6 7 8 9 ", "", 9, false},
		{0, 8, 0, 1, "1 2 3 4 5 6 7 8 ", "", 8, true},
		{4, 2, 0, 1, "5 6 ", "", 6, true},
		{7, 2, 0, 1, "8 9 ", "", 9, false},
		{9, 2, 0, 1, "", "", 9, false},
		{0, 100, 1, 1, "1 ", "", 1, true},
		{0, 100, 130, 1, "1 2 ", "", 2, true},
		{6, 100, 387, 1, "7 8 9 ", "", 9, false},
	};
	struct fixture *f = *state;
	struct all all = {0};

	append_nine(f);
	read_all_rows(f, rows, LENGTH(rows), 0);
	read_all(f, 0, 4, 0, 1, &all);
	assert_text(buffer_text(&f->rooms), "lobby room_1 room_7 lobby ");
	/* A page that is cut does not hold its snapshot. */
	append(f, "room_8", "z");
	read_all(f, 8, 4, 0, 1, &all);
	assert_text(buffer_text(&f->rooms), "room_7 room_8 ");
	assert_int_equal(all.page.end.newest, 10);
	buffer_release(&all.gap_text);
}

static void all_rooms_tell_where_messages_were_removed(void **state)
{
	static const struct all_row rows[] = {
		{0, 100, 0, 4, "2 6 7 ", "lobby:4 room_1:8 room_7:9 ", 9, false},
		{0, 100, 0, 3, "2 6 7 ", "lobby:4 room_1:8 room_7:9 ", 9, false},
		{0, 100, 0, 2, "2 6 7 ", "lobby:4 room_1:8 ", 8, true},
		{0, 100, 0, 1, "2 6 7 ", "lobby:4 ", 7, true},
		{7, 100, 0, 1, "", "room_1:8 ", 8, true},
		{8, 100, 0, 1, "", "room_7:9 ", 9, false},
		{9, 100, 0, 1, "", "", 9, false},
		{3, 100, 0, 1, "6 7 ", "lobby:4 ", 7, true},
		{4, 100, 0, 2, "6 7 ", "room_1:8 room_7:9 ", 9, false},
		/* 3 is looked at, but not the highest of room_7. */
		{0, 2, 0, 4, "2 ", "", 3, true},
		{0, 3, 0, 4, "2 ", "lobby:4 ", 4, true},
		{0, 4, 0, 4, "2 6 ", "lobby:4 ", 6, true},
		{0, 6, 0, 4, "2 6 7 ", "lobby:4 room_1:8 ", 8, true},
		{0, 7, 0, 4, "2 6 7 ", "lobby:4 room_1:8 room_7:9 ", 9, false},
		{2, 1, 0, 4, "", "", 3, true},
		{0, 100, 129, 4, "2 ", "", 2, true},
		{2, 100, 129, 4, "6 ", "lobby:4 ", 6, true},
	};
	struct fixture *f = *state;

	append_nine(f);
	f->backend->execute(f, "DELETE FROM messages WHERE id IN (1, 3, 4, 5, 8)");
	f->backend->execute(f, "DELETE FROM messages WHERE id = 9");
	read_all_rows(f, rows, LENGTH(rows), 9);
}

/* The same id was removed from several rooms, and is a message of another. */
static void a_message_that_was_moved_is_given_with_its_gaps(void **state)
{
	static const struct all_row rows[] = {
		{0, 100, 0, 4, "1 2 4 5 6 7 8 9 ", "room_7:3 lobby:5 room_1:5 ", 9,
		 false},
		{0, 100, 0, 2, "1 2 4 ", "room_7:3 ", 4, true},
		{4, 100, 0, 2, "5 6 7 8 9 ", "lobby:5 room_1:5 ", 9, false},
		/* They are looked at together, whatever the limits. */
		{4, 1, 0, 2, "5 ", "lobby:5 room_1:5 ", 5, true},
		{4, 100, 1, 2, "5 ", "lobby:5 room_1:5 ", 5, true},
		{3, 2, 0, 2, "4 5 ", "lobby:5 room_1:5 ", 5, true},
		/* There is no place where one alone could be named. */
		{4, 100, 0, 1, "5 6 7 8 9 ", "lobby:5 ", 9, false},
	};
	struct fixture *f = *state;

	append_nine(f);
	f->backend->execute(f, "DELETE FROM messages WHERE id = 3");
	f->backend->execute(f, "UPDATE messages SET room_id = -1 WHERE id = 5");
	f->backend->execute(f, "UPDATE messages SET room_id = 8 WHERE id = 5");
	read_all_rows(f, rows, LENGTH(rows), 5);
}

static void rows_that_cannot_be_given_count_in_all_rooms(void **state)
{
	struct fixture *f = *state;
	struct all all = {0};

	append(f, "lobby", "a");
	insert_oversize(f);
	f->backend->execute(
		f, "INSERT INTO messages (room_id, sender_id, sender_name, content,"
		   " sent_ms) VALUES (-99, '9', 'x', 'c', 0), (0, '9', 'x', 'd', 0)");
	append(f, "room_1", "b");
	f->backend->execute(f, "DELETE FROM messages WHERE id = 4");
	read_all(f, 0, 3, 0, 1, &all);
	assert_text(buffer_text(&f->ids), "1 ");
	assert_int_equal(all.page.upto, 3);
	assert_true(all.page.more);
	/* What was removed from a room without a valid name. */
	read_all(f, 3, 1, 0, 1, &all);
	assert_text(buffer_text(&f->ids), "");
	assert_int_equal(all.removed.count, 0);
	assert_int_equal(all.page.upto, 4);
	read_all(f, 1, 9, 129, 1, &all);
	assert_text(buffer_text(&f->ids), "5 ");
	assert_int_equal(all.page.upto, 5);
	assert_false(all.page.more);
	buffer_release(&all.gap_text);
}

/* ---- The same by a slow reader ---- */

static void model_remove(struct model *model, int64_t id)
{
	int64_t *pruned = &model->pruned[model->room[id]];

	model->removals[id]++;
	*pruned = *pruned < id ? id : *pruned;
	model->highest = model->highest < id ? id : model->highest;
}

/* Removes one in ten of the first messages, and moves a few. */
static void remove_at_random(struct fixture *f, struct model *model)
{
	struct buffer sql = {0};

	buffer_add_string(&sql, "BEGIN;");
	for (int i = 0; i < MESSAGES / 10; i++) {
		int64_t id = 1 + (int64_t)random_below(&model->random, MESSAGES - 99);
		size_t room = random_below(&model->random, (size_t)ROOMS * 5);

		if (model->room[id] == 0 || model->room[id] == room ||
		    model->removals[id] == REMOVALS_MAX)
			continue;
		model_remove(model, id);
		model->room[id] = room <= ROOMS ? room : 0;
		if (model->room[id] == 0)
			buffer_printf(&sql, "DELETE FROM messages WHERE id = %lld;",
			              (long long)id);
		else
			buffer_printf(&sql, "UPDATE messages SET room_id = %zu"
			              " WHERE id = %lld;", room, (long long)id);
	}
	buffer_add_string(&sql, "COMMIT");
	buffer_add(&sql, "", 1);
	f->backend->execute(f, sql.data);
	buffer_release(&sql);
}

/* A reader that goes through the log page by page. */
struct walk {
	struct model *model;
	int64_t at; /* the message it was given last */
	int64_t given;
	bool is_named[ROOMS + 1];
};

static void walk_take(void *context, const struct message *m)
{
	struct walk *walk = context;

	for (int64_t id = walk->at + 1; id < m->id; id++)
		expect(walk->model->room[id] == 0, "%lld was left out",
		       (long long)id);
	assert_true(m->id > walk->at);
	expect(m->room.number == (int64_t)walk->model->room[m->id], "%lld",
	       (long long)m->id);
	walk->at = m->id;
	walk->given++;
}

static void walk_name(struct walk *walk, const struct room_gap *gap,
                      int64_t after, int64_t upto)
{
	size_t room = (size_t)gap->room.number;

	assert_in_range(room, 1, ROOMS);
	expect(!walk->is_named[room], "%s again", gap->room.string);
	assert_int_equal(gap->removed, walk->model->pruned[room]);
	expect(gap->removed > after && gap->removed <= upto, "%s:%lld",
	       gap->room.string, (long long)gap->removed);
	walk->is_named[room] = true;
}

/* Returns the page's `more`, and moves *cursor to its end. */
static bool walk_page(struct fixture *f, struct walk *walk, int64_t *cursor)
{
	struct random *random = &walk->model->random;
	int64_t limit = 1 + (int64_t)random_below(random, 100);
	int64_t bytes = (int64_t)random_below(random, 2) * 8000;
	struct store_range range = range_after(*cursor, limit, bytes);
	size_t most = REMOVALS_MAX +
	              random_below(random, FEW - REMOVALS_MAX + 1);
	struct room_gap gaps[FEW];
	struct rooms_gaps removed = {.gaps = gaps, .most = most};
	struct rooms_page page;

	walk->given = 0;
	assert_done(f, store_read_all(f->reader, &range, walk_take, walk,
	                              &removed, &page));
	assert_int_equal(removed.pruned, walk->model->highest);
	/* A message beside a gap of the same id may go beyond the limit. */
	assert_in_range(walk->given + (int64_t)removed.count, 0, limit + 1);
	assert_in_range(removed.count, 0, most);
	assert_true(page.upto > *cursor && page.upto >= walk->at);
	expect(page.more || page.upto == MESSAGES, "up to %lld",
	       (long long)page.upto);
	for (int64_t id = walk->at + 1; id <= page.upto; id++)
		expect(walk->model->room[id] == 0, "%lld was left out",
		       (long long)id);
	walk->at = page.upto;
	for (size_t i = 0; i < removed.count; i++)
		walk_name(walk, &gaps[i], *cursor, page.upto);
	*cursor = page.upto;
	return page.more;
}

static void successive_pages_have_all_messages_and_each_gap_once(void **state)
{
	struct fixture *f = *state;
	struct model *model = fill(f, 21);

	for (int i = 0; i < 5; i++) {
		int64_t after = (int64_t)random_below(&model->random, 500);
		struct walk walk = {.model = model, .at = after};
		int64_t cursor = after;

		remove_at_random(f, model);
		while (walk_page(f, &walk, &cursor)) {}
		for (size_t room = 1; room <= ROOMS; room++)
			expect(walk.is_named[room] == (model->pruned[room] > after),
			       "room_%zu", room);
	}
	free(model);
}

/* ---- SQLite's file ---- */

static void removals_beyond_the_end_are_not_told(void **state)
{
	struct fixture *f = *state;
	struct all all = {0};

	append_nine(f);
	f->backend->execute(f, "DELETE FROM messages WHERE id IN (1, 5, 7, 9)");
	f->backend->execute(f, "UPDATE sqlite_sequence SET seq = 6"
	                       " WHERE name = 'messages'");
	read_all(f, 0, 100, 0, 4, &all);
	assert_text(buffer_text(&f->ids), "2 3 4 6 ");
	assert_text(buffer_text(&all.gap_text), "lobby:1 room_1:5 ");
	assert_int_equal(all.page.upto, 6);
	assert_int_equal(all.removed.pruned, 5);
	read_all(f, 6, 100, 0, 4, &all);
	assert_int_equal(f->visits + (int64_t)all.removed.count, 0);
	assert_int_equal(all.page.upto, 6);
	buffer_release(&all.gap_text);
}

/* Version 5 is version 4 with one more index. */
static void a_database_of_version_4_is_updated(void **state)
{
	struct fixture *f = *state;
	struct all all = {0};

	append_nine(f);
	store_free(f->writer);
	f->writer = NULL;
	execute_on(f->path, "DELETE FROM messages WHERE id IN (4, 5);"
	                    "DROP INDEX holes_by_id;"
	                    "DROP TRIGGER messages_edited;"
	                    "ALTER TABLE messages DROP COLUMN type;"
	                    "ALTER TABLE messages DROP COLUMN data;"
	                    "ALTER TABLE messages DROP COLUMN reply_to;"
	                    "PRAGMA user_version = 4");
	f->writer = store_of(&f->settings, STORE_WRITE);
	assert_false(store_connect(f->reader));
	assert_false(store_is_hopeless(f->reader));
	assert_int_equal(append(f, "room_1", "y"), 10);
	read_all(f, 0, 100, 0, 4, &all);
	assert_text(buffer_text(&f->contents), "x x x x x x x y ");
	assert_text(buffer_text(&all.gap_text), "lobby:4 room_1:5 ");
	buffer_release(&all.gap_text);
	execute_on(f->path,
	           "CREATE TABLE proof (version CHECK (version = 6), indexes"
	           " CHECK (indexes = 1));"
	           "INSERT INTO proof SELECT user_version, (SELECT count(*) FROM"
	           " sqlite_schema WHERE name = 'holes_by_id')"
	           " FROM pragma_user_version");
}

int run_store_reads(void)
{
	static const struct CMUnitTest tests_of_all[] = {
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
		WITH_STORE("sets of up to a hundred rooms are read as by a slow "
	                   "reader",
	                   a_hundred_rooms_are_read_as_by_a_slow_reader),
		WITH_STORE("all rooms are read in the order of the log, within "
	                   "limits",
	                   all_rooms_come_in_the_order_of_the_log),
		WITH_STORE("a read of all rooms names those from which messages "
	                   "were removed",
	                   all_rooms_tell_where_messages_were_removed),
		WITH_STORE("a message that was moved between rooms is given "
	                   "together with their gaps",
	                   a_message_that_was_moved_is_given_with_its_gaps),
		WITH_STORE("rows of all rooms that cannot be given are skipped, "
	                   "and count",
	                   rows_that_cannot_be_given_count_in_all_rooms),
		WITH_STORE("successive pages of all rooms have every message, and "
	                   "name each gap once",
	                   successive_pages_have_all_messages_and_each_gap_once),
	};
	static const struct CMUnitTest tests[] = {
		WITH_SQLITE("several rooms are read from a database that replaced "
	                    "another",
	                    several_rooms_are_read_from_a_new_database),
		WITH_SQLITE("removals beyond the end of the log are ignored",
	                    removals_beyond_the_end_are_not_told),
		WITH_SQLITE("a database of version 4 is updated",
	                    a_database_of_version_4_is_updated),
	};

	return run_with_each_backend(tests_of_all, LENGTH(tests_of_all)) +
	       cmocka_run_group_tests_name("SQLite's file", tests, NULL, NULL);
}
