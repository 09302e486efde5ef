/* Tests of the log. The first table is what every back-end must do, and knows
 * it by its URL alone; the second is about SQLite's file. */
#include "store_fixture.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "os/folder.h"
#include "os/thread.h"
#include "store/store.h"

/* ---- Writing ---- */

static void append_many(struct fixture *f, const char *room, int count)
{
	for (int i = 0; i < count; i++)
		append(f, room, "x");
}

static enum append_outcome append_with(struct fixture *f, const char *sender,
                                       const char *client_id,
                                       const char *content, int64_t *id)
{
	struct message m = message_in("room_1", content);
	struct append one = {.message = &m};
	uint32_t log;

	m.sender_id = text_of(sender);
	m.client_id = text_of(client_id);
	assert_done(f, store_append(f->writer, &one, 1, &log));
	*id = m.id;
	return one.outcome;
}

/* ---- Reading ---- */

static struct store_page read_range(struct fixture *f, const char *room,
                                    struct store_range range)
{
	struct room_name name = room_named(room);
	struct store_page page;

	forget(f);
	assert_done(f, store_read_room(f->reader, &name, &range, note, f,
	                               &page));
	assert_int_equal(page.count, f->visits);
	return page;
}

static struct log_page read_log(struct fixture *f, int64_t id, int64_t limit,
                                int64_t bytes)
{
	struct log_page page;

	forget(f);
	assert_done(f, store_read_log(f->reader, id, limit, bytes, note, f,
	                              &page));
	return page;
}

static struct log_end log_end_of(struct fixture *f, struct store *store)
{
	struct log_end end;

	assert_done(f, store_log_end(store, &end));
	return end;
}

#define NEWEST(n) ((struct store_range){.direction = STORE_NEWEST, .limit = (n)})
#define BEFORE(i, n)                                                           \
	((struct store_range){.direction = STORE_BEFORE, .id = (i), .limit = (n)})
#define AFTER(i, n)                                                            \
	((struct store_range){.direction = STORE_AFTER, .id = (i), .limit = (n)})

/* ---- Tests of every back-end ---- */

static void a_new_log_is_empty(void **state)
{
	struct fixture *f = *state;

	assert_done(f, store_connect(f->writer));
	assert_false(store_is_hopeless(f->writer));
	assert_int_equal(log_end_of(f, f->writer).newest, 0);
	assert_int_equal(log_end_of(f, f->reader).newest, 0);
	struct store_page page = read_range(f, "room_1", NEWEST(10));
	assert_int_equal(page.count + page.state.earliest + page.state.pruned + page.more, 0);
	assert_int_equal(read_log(f, 0, 10, ENOUGH).upto, 0);
}

static void ids_ascend_over_all_rooms(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(append(f, "room_1", "a"), 1);
	assert_int_equal(append(f, "lobby", "b"), 2);
	assert_int_equal(append(f, "room_1", "c"), 3);
	read_range(f, "room_1", NEWEST(10));
	assert_text(buffer_text(&f->ids), "1 3 ");
	assert_text(buffer_text(&f->contents), "a c ");
	read_range(f, "lobby", NEWEST(10));
	assert_text(buffer_text(&f->ids), "2 ");
	assert_text(buffer_text(&f->rooms), "lobby ");
}

static void a_batch_gets_ids_in_its_order(void **state)
{
	struct fixture *f = *state;
	struct message messages[3] = {message_in("room_1", "a"),
	                              message_in("lobby", "b"),
	                              message_in("room_1", "c")};
	struct append batch[3] = {{.message = &messages[0]},
	                          {.message = &messages[1]},
	                          {.message = &messages[2]}};
	uint32_t log;

	assert_done(f, store_append(f->writer, batch, 3, &log));
	assert_int_equal(log, log_end_of(f, f->reader).log);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(messages[i].id, i + 1);
		assert_int_equal(batch[i].outcome, APPEND_SAVED);
	}
	read_log(f, 0, 10, ENOUGH);
	assert_text(buffer_text(&f->contents), "a b c ");
}

static struct message full_message(const char *room)
{
	struct message m = message_in(room, "a; DROP TABLE messages; "
	                                    "\xf0\x9f\x98\x80\n%s");

	m.sender_name = text_of("\xc3\xa9 'quoted' \"name\"");
	m.client_id = text_of("c-1");
	return m;
}

static void check_full_message(void *context, const struct message *m)
{
	struct message all = full_message(context);

	assert_string_equal(m->room.string, all.room.string);
	assert_true(m->id > 0);
	assert_true(text_equal(m->sender_id, all.sender_id));
	assert_true(text_equal(m->sender_name, all.sender_name));
	assert_true(text_equal(m->sender_type, all.sender_type));
	assert_true(text_equal(m->content, all.content));
	assert_true(text_equal(m->client_id, all.client_id));
	assert_true(m->sent_ms == all.sent_ms);
}

static void every_field_is_kept(void **state)
{
	static char room[] = "A.name~of-64_bytes-----------------------------"
	                     "-----------------";
	struct fixture *f = *state;
	struct message m = full_message(room);
	struct append one = {.message = &m};
	struct store_page page;
	struct log_page log_page;
	struct log_end end;
	uint32_t log;
	bool found;

	assert_done(f, store_append(f->writer, &one, 1, &log));
	assert_done(f, store_read_room(f->reader, &m.room, &NEWEST(1),
	                               check_full_message, room, &page));
	assert_done(f, store_read_log(f->reader, 0, 1, ENOUGH,
	                              check_full_message, room, &log_page));
	assert_done(f, store_read_one(f->reader, &m.room, m.id,
	                              check_full_message, room, &end, &found));
	assert_true(found && page.count == 1 && log_page.upto == m.id);
}

static void check_no_client_id(void *context, const struct message *m)
{
	*(bool *)context = m->client_id.data == NULL;
}

static void no_client_id_stays_none(void **state)
{
	struct fixture *f = *state;
	struct room_name room = room_named("room_1");
	struct store_page page;
	bool none = false;

	append(f, "room_1", "a");
	append(f, "room_1", "a");
	assert_done(f, store_read_room(f->reader, &room, &NEWEST(1),
	                               check_no_client_id, &none, &page));
	assert_true(none);
}

static void room_numbers_reach_their_limit(void **state)
{
	struct fixture *f = *state;

	append(f, "room_9223372036854775807", "a");
	append(f, "room_1", "b");
	append(f, "room_", "c");
	read_log(f, 0, 10, ENOUGH);
	assert_text(buffer_text(&f->rooms),
	            "room_9223372036854775807 room_1 room_ ");
	assert_int_equal(
		read_range(f, "room_9223372036854775807", NEWEST(9)).count, 1);
}

static void a_room_is_no_other(void **state)
{
	static const char *const rooms[] = {"a", "A", "room_1", "room_11",
	                                    "room_1a", "1", "-1", "b"};
	struct fixture *f = *state;

	for (size_t i = 0; i < LENGTH(rooms); i++)
		append(f, rooms[i], rooms[i]);
	for (size_t i = 0; i < LENGTH(rooms); i++) {
		assert_int_equal(read_range(f, rooms[i], NEWEST(9)).count, 1);
		expect(strncmp(f->contents.data, rooms[i], strlen(rooms[i])) ==
		               0,
		       "%s", rooms[i]);
	}
}

/* ---- The same client_id again ---- */

static void a_repeated_client_id_gives_the_first_id(void **state)
{
	struct fixture *f = *state;
	int64_t id;

	append(f, "room_1", "before");
	assert_int_equal(append_with(f, "2", "c", "a", &id), APPEND_SAVED);
	assert_int_equal(id, 2);
	assert_int_equal(append_with(f, "2", "c", "a", &id), APPEND_REPEATED);
	assert_int_equal(id, 2);
	assert_int_equal(append_with(f, "2", "c", "b", &id), APPEND_CONFLICT);
	assert_int_equal(append_with(f, "3", "c", "b", &id), APPEND_SAVED);
	assert_int_equal(append_with(f, "2", "d", "a", &id), APPEND_SAVED);
	assert_int_equal(log_end_of(f, f->reader).newest, 4);
}

static void a_client_id_counts_within_its_room(void **state)
{
	struct fixture *f = *state;
	struct message m = message_in("lobby", "a");
	struct append one = {.message = &m};
	uint32_t log;
	int64_t id;

	assert_int_equal(append_with(f, "2", "c", "a", &id), APPEND_SAVED);
	m.client_id = text_of("c");
	assert_done(f, store_append(f->writer, &one, 1, &log));
	assert_int_equal(one.outcome, APPEND_SAVED);
	assert_int_equal(m.id, 2);
}

static void a_client_id_may_repeat_within_a_batch(void **state)
{
	static const enum append_outcome outcomes[] = {
		APPEND_SAVED, APPEND_REPEATED, APPEND_CONFLICT, APPEND_SAVED};
	struct fixture *f = *state;
	struct message messages[4] = {
		message_in("room_1", "a"), message_in("room_1", "a"),
		message_in("room_1", "b"), message_in("room_1", "c")};
	struct append batch[4] = {{.message = &messages[0]},
	                          {.message = &messages[1]},
	                          {.message = &messages[2]},
	                          {.message = &messages[3]}};
	uint32_t log;

	for (int i = 0; i < 3; i++)
		messages[i].client_id = text_of("c");
	assert_done(f, store_append(f->writer, batch, 4, &log));
	for (int i = 0; i < 4; i++)
		expect(batch[i].outcome == outcomes[i], "message %d", i);
	assert_int_equal(messages[0].id, 1);
	assert_int_equal(messages[1].id, 1);
	assert_int_equal(messages[3].id, 2);
	read_log(f, 0, 10, ENOUGH);
	assert_text(buffer_text(&f->contents), "a c ");
}

/* ---- Pages ---- */

/* 1 to 10, the even ones in room_1. */
static void append_ten(struct fixture *f)
{
	for (int id = 1; id <= 10; id++)
		append(f, id % 2 ? "lobby" : "room_1", "x");
}

static void pages_are_read_in_each_direction(void **state)
{
	static const struct {
		struct store_range range;
		const char *ids;
		bool more;
	} rows[] = {
		{{STORE_NEWEST, 0, 10, 0}, "2 4 6 8 10 ", false},
		{{STORE_NEWEST, 0, 5, 0}, "2 4 6 8 10 ", false},
		{{STORE_NEWEST, 0, 4, 0}, "4 6 8 10 ", true},
		{{STORE_NEWEST, 0, 1, 0}, "10 ", true},
		{{STORE_BEFORE, 6, 10, 0}, "2 4 ", false},
		{{STORE_BEFORE, 6, 2, 0}, "2 4 ", false},
		{{STORE_BEFORE, 6, 1, 0}, "4 ", true},
		{{STORE_BEFORE, 7, 1, 0}, "6 ", true},
		{{STORE_BEFORE, 2, 9, 0}, "", false},
		{{STORE_BEFORE, 1, 9, 0}, "", false},
		{{STORE_BEFORE, INT64_MAX, 1, 0}, "10 ", true},
		{{STORE_AFTER, 0, 10, 0}, "2 4 6 8 10 ", false},
		{{STORE_AFTER, 0, 5, 0}, "2 4 6 8 10 ", false},
		{{STORE_AFTER, 0, 4, 0}, "2 4 6 8 ", true},
		{{STORE_AFTER, 6, 1, 0}, "8 ", true},
		{{STORE_AFTER, 5, 1, 0}, "6 ", true},
		{{STORE_AFTER, 8, 1, 0}, "10 ", false},
		{{STORE_AFTER, 10, 9, 0}, "", false},
		{{STORE_AFTER, INT64_MAX, 9, 0}, "", false},
		{{STORE_AFTER, 0, 1000, 1}, "2 ", true},
		{{STORE_AFTER, 8, 1000, 1}, "10 ", false},
		{{STORE_AFTER, 0, 1000, ENOUGH}, "2 4 6 8 10 ", false},
	};
	struct fixture *f = *state;

	append_ten(f);
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct store_page page = read_range(f, "room_1", rows[i].range);

		expect(text_is(buffer_text(&f->ids), rows[i].ids),
		       "row %zu: %.*s", i, TEXT_ARGS(buffer_text(&f->ids)));
		expect(page.more == rows[i].more, "row %zu", i);
		assert_int_equal(page.state.earliest, 2);
		assert_int_equal(page.end.newest, 10);
	}
}

/* A hundred quotes are two hundred bytes of JSON, and so are as many line breaks, but
 * not other control characters; and a message is 128 beside. */
static void bytes_cut_a_page_alike_in_each_direction(void **state)
{
	static const struct {
		struct store_range range;
		const char *ids;
	} rows[] = {
		{{STORE_AFTER, 0, 1000, 700}, "1 2 3 "},
		{{STORE_AFTER, 0, 1000, 656}, "1 2 "},
		{{STORE_AFTER, 8, 1000, 700}, "9 10 "},
		{{STORE_BEFORE, 11, 1000, 700}, "8 9 10 "},
		{{STORE_BEFORE, 3, 1000, 700}, "1 2 "},
		{{STORE_NEWEST, 0, 1000, 700}, "8 9 10 "},
		{{STORE_NEWEST, 0, 1000, 656}, "9 10 "},
		{{STORE_NEWEST, 0, 2, 700}, "9 10 "},
		{{STORE_NEWEST, 0, 1000, 1}, "10 "},
	};
	static const char *const parts[] = {"\"", "\n", "\t", "\\", "\1bbbb"};
	struct fixture *f = *state;
	char content[101];

	for (int i = 0; i < 10; i++) {
		const char *part = parts[(size_t)i % LENGTH(parts)];
		size_t size = strlen(part);

		for (size_t at = 0; at < 100; at += size)
			memcpy(content + at, part, size);
		content[100] = '\0';
		append(f, "room_1", content);
	}
	for (size_t i = 0; i < LENGTH(rows); i++) {
		read_range(f, "room_1", rows[i].range);
		expect(text_is(buffer_text(&f->ids), rows[i].ids),
		       "row %zu: %.*s", i, TEXT_ARGS(buffer_text(&f->ids)));
	}
}

static void a_page_says_where_it_begins_and_ends(void **state)
{
	struct fixture *f = *state;

	append_ten(f);
	struct store_page page = read_range(f, "room_1", AFTER(2, 3));
	assert_int_equal(page.first, 4);
	assert_int_equal(page.last, 8);
	page = read_range(f, "room_1", BEFORE(8, 2));
	assert_int_equal(page.first, 4);
	assert_int_equal(page.last, 6);
	page = read_range(f, "room_1", AFTER(10, 3));
	assert_int_equal(page.first, 0);
	assert_int_equal(page.last, 0);
}

static void an_unknown_room_is_empty(void **state)
{
	static const char *const rooms[] = {"nobody", "room_7"};
	struct fixture *f = *state;

	append_ten(f);
	for (size_t i = 0; i < LENGTH(rooms); i++) {
		struct store_page page = read_range(f, rooms[i], NEWEST(10));

		assert_int_equal(page.count + page.state.earliest + page.state.pruned, 0);
		assert_false(page.more);
		assert_int_equal(page.end.newest, 10);
	}
}

static void one_message_is_found_in_its_room(void **state)
{
	struct fixture *f = *state;
	struct room_name room_1 = room_named("room_1");
	struct room_name nobody = room_named("nobody");
	struct log_end end;
	bool found;

	append_ten(f);
	forget(f);
	assert_done(f, store_read_one(f->reader, &room_1, 4, note, f, &end,
	                              &found));
	assert_true(found);
	assert_text(buffer_text(&f->ids), "4 ");
	assert_done(f, store_read_one(f->reader, &room_1, 3, note, f, &end,
	                              &found));
	assert_false(found);
	assert_done(f, store_read_one(f->reader, &room_1, 11, note, f, &end,
	                              &found));
	assert_false(found);
	assert_done(f, store_read_one(f->reader, &nobody, 4, note, f, &end,
	                              &found));
	assert_false(found);
	assert_int_equal(f->visits, 1);
	assert_int_equal(end.newest, 10);
}

/* ---- The log as a whole ---- */

static void the_log_is_read_within_limits(void **state)
{
	static const struct {
		int64_t id, limit, bytes;
		const char *ids;
		int64_t upto;
	} rows[] = {
		{0, 100, ENOUGH, "1 2 3 4 5 6 7 8 9 10 ", 10},
		{0, 10, ENOUGH, "1 2 3 4 5 6 7 8 9 10 ", 10},
		{0, 3, ENOUGH, "1 2 3 ", 3},
		{7, 3, ENOUGH, "8 9 10 ", 10},
		{7, 2, ENOUGH, "8 9 ", 9},
		{9, 9, ENOUGH, "10 ", 10},
		{10, 9, ENOUGH, "", 10},
		{0, 100, 1, "1 ", 1},
	};
	struct fixture *f = *state;

	append_ten(f);
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct log_page page = read_log(f, rows[i].id, rows[i].limit,
		                                rows[i].bytes);

		expect(text_is(buffer_text(&f->ids), rows[i].ids),
		       "row %zu: %.*s", i, TEXT_ARGS(buffer_text(&f->ids)));
		expect(page.upto == rows[i].upto, "row %zu: up to %lld", i,
		       (long long)page.upto);
		assert_int_equal(page.end.newest, 10);
	}
}

static void the_log_is_read_to_its_end_by_any_limit(void **state)
{
	struct fixture *f = *state;

	append_ten(f);
	for (int64_t bytes = 1; bytes < 2000; bytes += 100) {
		struct log_page page = {.upto = 0};
		int reads = 0;

		do {
			page = read_log(f, page.upto, 4, bytes);
			expect(++reads <= 10, "%lld bytes", (long long)bytes);
		} while (page.upto < page.end.newest);
		assert_int_equal(page.upto, 10);
	}
}

static void the_end_counts_what_was_removed(void **state)
{
	struct fixture *f = *state;

	append_ten(f);
	f->backend->execute(f, "DELETE FROM messages WHERE id > 7");
	assert_int_equal(log_end_of(f, f->reader).newest, 10);
	assert_int_equal(read_log(f, 0, 100, ENOUGH).upto, 10);
	assert_text(buffer_text(&f->ids), "1 2 3 4 5 6 7 ");
	assert_int_equal(append(f, "room_1", "x"), 11);
}

static void the_tail_is_as_long_as_asked(void **state)
{
	struct fixture *f = *state;
	int64_t all, some, more;

	assert_done(f, store_connect(f->writer));
	assert_done(f, store_find_tail(f->reader, ENOUGH, &all));
	assert_int_equal(all, 0);
	append_many(f, "room_1", 100);
	assert_done(f, store_find_tail(f->reader, ENOUGH, &all));
	assert_int_equal(all, 0);
	assert_done(f, store_find_tail(f->reader, 1, &some));
	assert_int_equal(some, 99);
	assert_done(f, store_find_tail(f->reader, 1000, &some));
	assert_in_range(some, 1, 98);
	assert_done(f, store_find_tail(f->reader, 2000, &more));
	assert_true(more < some);
	/* A tail of this many bytes is what a read of the log of as many bytes
	 * gives, or one message less. */
	read_log(f, some, 1000, 1000);
	assert_true(f->visits >= 100 - some - 1 && f->visits <= 100 - some);
}

static void the_end_is_seen_by_all(void **state)
{
	struct fixture *f = *state;

	for (int id = 1; id <= 3; id++) {
		append(f, "room_1", "a");
		assert_int_equal(log_end_of(f, f->reader).newest, id);
		expect(log_end_of(f, f->writer).newest == id,
		       "the writer, after message %d", id);
	}
	assert_int_equal(log_end_of(f, f->reader).log,
	                 log_end_of(f, f->writer).log);
}

/* ---- Other programs at the same store ---- */

static void removed_messages_leave_a_mark(void **state)
{
	struct fixture *f = *state;

	append_ten(f);
	f->backend->execute(f, "DELETE FROM messages WHERE id < 6");
	struct store_page page = read_range(f, "room_1", AFTER(0, 10));
	assert_text(buffer_text(&f->ids), "6 8 10 ");
	assert_int_equal(page.state.earliest, 6);
	assert_int_equal(page.state.pruned, 4);
	assert_false(page.more);
	page = read_range(f, "lobby", NEWEST(1));
	assert_int_equal(page.state.pruned, 5);
	page = read_range(f, "room_1", NEWEST(3));
	assert_false(page.more);

	f->backend->execute(f, "DELETE FROM messages");
	page = read_range(f, "room_1", NEWEST(10));
	assert_int_equal(page.count + page.state.earliest, 0);
	assert_int_equal(page.state.pruned, 10);
}

static void the_states_of_many_rooms_come_together(void **state)
{
	static const char *const names[] = {"room_1", "lobby", "nowhere", "room_9"};
	struct room_name rooms[LENGTH(names)];
	struct room_state states[LENGTH(names)];
	struct fixture *f = *state;
	struct log_end end;

	append_ten(f);
	f->backend->execute(f, "DELETE FROM messages WHERE id < 6");
	for (size_t i = 0; i < LENGTH(names); i++)
		assert_true(room_name_parse(text_of(names[i]), &rooms[i]));
	assert_true(store_read_states(f->reader, rooms, LENGTH(names), states,
	                              &end));
	assert_int_equal(end.newest, 10);
	assert_int_equal(states[0].earliest, 6);
	assert_int_equal(states[0].pruned, 4);
	assert_int_equal(states[1].pruned, 5);
	for (size_t i = 2; i < LENGTH(names); i++)
		assert_int_equal(states[i].earliest + states[i].pruned, 0);
}

/* What a reader from before the removed messages is told, page by page. */
static void a_page_tells_what_was_removed_up_to_its_end(void **state)
{
	static const struct {
		int64_t after, limit, removed;
	} rows[] = {
		{0, 10, 8}, {0, 1, 0}, {0, 2, 4}, {2, 1, 4}, {4, 1, 4},
		{6, 1, 8},  {7, 9, 8}, {8, 9, 0}, {9, 9, 0},
	};
	struct fixture *f = *state;

	append_ten(f);
	f->backend->execute(f, "DELETE FROM messages WHERE id IN (4, 8)");
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct store_page page = read_range(
			f, "room_1", AFTER(rows[i].after, rows[i].limit));

		expect(page.removed == rows[i].removed ||
		               (rows[i].removed <= rows[i].after &&
		                page.removed <= rows[i].after),
		       "after %d, %d", (int)rows[i].after, (int)rows[i].limit);
	}
	assert_int_equal(read_range(f, "lobby", AFTER(0, 10)).removed, 0);
	assert_int_equal(read_range(f, "room_1", NEWEST(10)).removed, 0);
}

static size_t read_changes(struct fixture *f, int64_t since, size_t most,
                           struct room_change *changes, int64_t *upto)
{
	struct log_end end;
	size_t count;

	assert_true(store_read_changes(f->reader, since, changes, most, &count,
	                               upto, &end));
	return count;
}

static void changed_rooms_are_told(void **state)
{
	struct room_change changes[4];
	struct fixture *f = *state;
	int64_t upto;

	append_ten(f);
	int64_t since = log_end_of(f, f->reader).changes;
	assert_int_equal(read_changes(f, since, 4, changes, &upto), 0);
	assert_int_equal(upto, since);
	f->backend->execute(f, "DELETE FROM messages WHERE id = 2");
	f->backend->execute(f, "UPDATE messages SET content = 'x' WHERE id = 5");
	assert_int_equal(read_changes(f, since, 4, changes, &upto), 2);
	assert_int_equal(upto, log_end_of(f, f->reader).changes);
	assert_string_equal(changes[0].room.string, "room_1");
	assert_int_equal(changes[0].state.earliest, 4);
	assert_int_equal(changes[0].state.pruned, 2);
	assert_false(changes[0].edited);
	assert_string_equal(changes[1].room.string, "lobby");
	assert_true(changes[1].edited);
	/* One by one; a later change of the first one makes it the last. */
	f->backend->execute(f, "DELETE FROM messages WHERE id = 6");
	assert_int_equal(read_changes(f, since, 1, changes, &upto), 1);
	assert_string_equal(changes[0].room.string, "lobby");
	assert_int_equal(read_changes(f, upto, 1, changes, &upto), 1);
	assert_string_equal(changes[0].room.string, "room_1");
	assert_true(changes[0].edited);
	assert_int_equal(read_changes(f, upto, 1, changes, &upto), 0);
}

static void changes_are_counted(void **state)
{
	struct fixture *f = *state;

	append_ten(f);
	int64_t before = log_end_of(f, f->reader).changes;
	append(f, "room_1", "x");
	assert_int_equal(log_end_of(f, f->reader).changes, before);
	f->backend->execute(f, "DELETE FROM messages WHERE id = 3");
	int64_t after = log_end_of(f, f->reader).changes;
	assert_true(after > before);
	assert_int_equal(log_end_of(f, f->writer).changes, after);
	f->backend->execute(f, "DELETE FROM messages WHERE id > 8");
	assert_true(log_end_of(f, f->reader).changes > after);
	after = log_end_of(f, f->reader).changes;
	f->backend->execute(f, "UPDATE messages SET content = 'y' WHERE id = 5");
	assert_true(log_end_of(f, f->reader).changes > after);
	/* A read of the log reports it as of its own snapshot. */
	assert_int_equal(read_log(f, 0, 1, ENOUGH).end.changes,
	                 log_end_of(f, f->reader).changes);
	assert_int_equal(read_range(f, "room_1", NEWEST(1)).end.changes,
	                 log_end_of(f, f->reader).changes);
}

static void rows_of_others_are_read(void **state)
{
	struct fixture *f = *state;

	append(f, "room_1", "a");
	f->backend->execute(
		f, "INSERT INTO messages (room_id, sender_id, sender_name, "
		   "content, sent_ms) VALUES (1, '9', 'cron', 'b', 0)");
	assert_int_equal(log_end_of(f, f->reader).newest, 2);
	read_range(f, "room_1", NEWEST(10));
	assert_text(buffer_text(&f->contents), "a b ");
	f->backend->execute(
		f, "INSERT INTO messages (room_id, sender_id, sender_name, "
		   "content, sent_ms) VALUES (77, '9', 'cron', 'c', 0)");
	read_log(f, 2, 10, ENOUGH);
	assert_text(buffer_text(&f->rooms), "room_77 ");
	read_range(f, "room_77", NEWEST(10));
	assert_text(buffer_text(&f->contents), "c ");
}

static void rooms_that_nobody_can_ask_for_are_passed_over(void **state)
{
	struct fixture *f = *state;

	append(f, "lobby", "a");
	f->backend->execute(
		f, "INSERT INTO rooms (room_id, name) VALUES (-7, 'a room/')");
	f->backend->execute(
		f, "INSERT INTO messages (room_id, sender_id, sender_name, "
		   "content, sent_ms) VALUES (-7, '9', 'x', 'b', 0), "
		   "(-99, '9', 'x', 'c', 0), (0, '9', 'x', 'd', 0)");
	assert_int_equal(read_log(f, 0, 10, ENOUGH).upto, 4);
	assert_text(buffer_text(&f->contents), "a ");
	assert_int_equal(append(f, "another", "e"), 5);
	assert_int_equal(read_log(f, 0, 3, ENOUGH).upto, 3);
	assert_int_equal(read_log(f, 3, 10, ENOUGH).upto, 5);
	assert_text(buffer_text(&f->rooms), "another ");
}

/* ---- Which store ---- */

static void what_is_no_store_is_refused(void **state)
{
	static const char *const urls[] = {"", "/var/lib/longroom.db", "sqlite",
	                                   "mysql://host/db", "SQLITE:/a"};
	struct buffer error = {0};
	struct settings settings;

	(void)state;
	settings_init(&settings);
	for (size_t i = 0; i < LENGTH(urls); i++) {
		struct settings other = settings;
		char url[64];

		snprintf(url, sizeof url, "%s", urls[i]);
		other.store.url = url;
		buffer_clear(&error);
		expect(store_new(&other.store, STORE_READ, &error) == NULL, "%s",
		       url);
		expect(error.size > 0, "%s", url);
	}
	settings_release(&settings);
	buffer_release(&error);
}

/* ---- SQLite's file ---- */

static void assert_fails_with(struct store *store, const char *words)
{
	struct log_end end;

	assert_false(store_log_end(store, &end));
	expect(strstr(store_error(store), words) != NULL, "'%s', not '%s'",
	       store_error(store), words);
}

static void a_reader_waits_for_the_database(void **state)
{
	struct fixture *f = *state;

	assert_fails_with(f->reader, "there is none yet");
	assert_true(store_is_hopeless(f->reader));
	assert_true(store_is_awaited(f->reader));
	assert_int_not_equal(access(f->path, F_OK), 0);
	file_write(f->path, text_of(""));
	assert_false(store_connect(f->reader));
	assert_false(store_is_hopeless(f->reader));
	assert_fails_with(f->reader, "not set up yet");
	assert_true(store_is_awaited(f->reader));
	append(f, "room_1", "a");
	assert_int_equal(log_end_of(f, f->reader).newest, 1);
	assert_false(store_is_awaited(f->reader));
}

static void a_reader_cannot_write(void **state)
{
	struct fixture *f = *state;
	struct message m = message_in("room_1", "a");
	struct append one = {.message = &m};
	uint32_t log;

	assert_done(f, store_connect(f->writer));
	assert_false(store_append(f->reader, &one, 1, &log));
	assert_int_equal(m.id, 0);
	assert_int_equal(log_end_of(f, f->reader).newest, 0);
}

static void a_foreign_database_is_left_alone(void **state)
{
	struct fixture *f = *state;

	execute_on(f->path, "CREATE TABLE messages (mine TEXT)");
	assert_fails_with(f->writer, "not a Longroom database");
	assert_fails_with(f->reader, "not a Longroom database");
	execute_on(f->path, "INSERT INTO messages (mine) VALUES ('x')");

	execute_on(f->path, "DROP TABLE messages; PRAGMA application_id = 7");
	assert_fails_with(f->writer, "not a Longroom database");
}

static bool is_there(const struct fixture *f, const char *name)
{
	char *path = path_in(f->folder, name);
	bool there = access(path, F_OK) == 0;

	free(path);
	return there;
}

static void a_foreign_database_keeps_every_byte(void **state)
{
	static const char *const foreign[] = {
		"CREATE TABLE theirs (a)",
		"CREATE TABLE theirs (a); PRAGMA user_version = 1",
		"PRAGMA application_id = 7",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < LENGTH(foreign); i++) {
		struct buffer before = {0}, after = {0};

		execute_on(f->path, foreign[i]);
		file_read(f->path, &before);
		assert_fails_with(f->writer, "not a Longroom database");
		assert_true(store_is_hopeless(f->writer));
		file_read(f->path, &after);
		expect(text_equal(buffer_text(&before), buffer_text(&after)),
		       "%s: changed", foreign[i]);
		assert_false(is_there(f, "longroom.db-wal"));
		assert_false(is_there(f, "longroom.db-shm"));
		buffer_release(&before);
		buffer_release(&after);
		assert_int_equal(unlink(f->path), 0);
	}
}

static void a_file_that_is_no_database_is_left_alone(void **state)
{
	struct fixture *f = *state;
	static const char text[] = "This is no database, but a text that is "
	                           "long enough to have been one: ..........."
	                           ".........................................";

	file_write(f->path, text_of(text));
	assert_fails_with(f->writer, "not a database");
	assert_fails_with(f->reader, "not a database");
}

static void a_newer_version_is_refused(void **state)
{
	struct fixture *f = *state;

	append(f, "room_1", "a");
	store_free(f->writer);
	store_free(f->reader);
	execute_on(f->path, "PRAGMA user_version = 1000");
	f->writer = store_of(&f->settings, STORE_WRITE);
	f->reader = store_of(&f->settings, STORE_READ);
	assert_fails_with(f->writer, "newer version");
	assert_fails_with(f->reader, "newer version");
}

static void the_database_keeps_its_log_when_opened_anew(void **state)
{
	struct fixture *f = *state;

	append(f, "room_1", "a");
	struct log_end before = log_end_of(f, f->reader);
	store_free(f->writer);
	store_free(f->reader);
	f->writer = store_of(&f->settings, STORE_WRITE);
	f->reader = store_of(&f->settings, STORE_READ);
	struct log_end after = log_end_of(f, f->writer);
	assert_true(before.log == after.log && after.newest == 1);
	assert_int_equal(append(f, "room_1", "b"), 2);
}

static void remove_database(struct fixture *f)
{
	static const char *const names[] = {"longroom.db", "longroom.db-wal",
	                                    "longroom.db-shm"};

	for (size_t i = 0; i < LENGTH(names); i++) {
		char *path = path_in(f->folder, names[i]);

		unlink(path);
		free(path);
	}
}

static void a_removed_database_is_made_anew(void **state)
{
	struct fixture *f = *state;

	append_ten(f);
	struct log_end before = log_end_of(f, f->reader);
	remove_database(f);
	assert_fails_with(f->reader, "there is none yet");
	assert_int_equal(append(f, "room_1", "a"), 1);
	struct log_end after = log_end_of(f, f->reader);
	assert_int_equal(after.newest, 1);
	assert_true(after.log != before.log);
	read_range(f, "room_1", NEWEST(10));
	assert_text(buffer_text(&f->contents), "a ");
}

static void side_files_of_a_removed_database_are_not_taken(void **state)
{
	struct fixture *f = *state;

	append_ten(f);
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(append(f, "room_1", "a"), 1);
	assert_int_equal(read_range(f, "room_1", NEWEST(10)).count, 1);
}

/* The state of a killed program: its messages are in the -wal. */
static void copy_database(const struct fixture *from, const struct fixture *to)
{
	static const char *const names[] = {"longroom.db-wal", "longroom.db"};

	for (size_t i = 0; i < LENGTH(names); i++) {
		char *source = path_in(from->folder, names[i]);
		char *target = path_in(to->folder, names[i]);
		struct buffer bytes = {0};

		file_read(source, &bytes);
		file_write(target, buffer_text(&bytes));
		buffer_release(&bytes);
		free(source);
		free(target);
	}
}

static void *connect_writer(void *context)
{
	struct fixture *f = context;

	return store_connect(f->writer) ? f : NULL;
}

/* Whether a thread waits for a lock of this process; false also where the
 * system does not tell. */
static bool waits_for_lock(void)
{
	char waiting[64];
	struct buffer locks = {0};

	if (access("/proc/locks", R_OK) != 0)
		return false;
	snprintf(waiting, sizeof waiting, "-> FLOCK  ADVISORY  WRITE %ld ",
	         (long)getpid());
	file_read("/proc/locks", &locks);
	buffer_add(&locks, "", 1);
	bool waits = strstr(locks.data, waiting) != NULL;
	buffer_release(&locks);
	return waits;
}

/* Waits until the other thread has reached the lock, or cannot be seen to. */
static void wait_for_lock_of(const struct fixture *f)
{
	static const struct timespec moment = {0, 1000000};
	int64_t end = clock_monotonic_ms() + 2000;

	while (!waits_for_lock() && clock_monotonic_ms() < end &&
	       !is_there(f, "longroom.db"))
		nanosleep(&moment, NULL);
}

static void two_creators_at_once_share_a_database(void **state)
{
	struct fixture *f = *state, *first;
	void *other = (void *)&sqlite, *connected;

	set_up(&other);
	first = other;
	append_ten(first);
	struct buffer error = {0};
	int lock;
	assert_true(folder_lock(f->path, FOLDER_PATIENCE_MS, &lock, &error));
	pthread_t second = thread_start(connect_writer, f);
	wait_for_lock_of(f);
	bool waited = !is_there(f, "longroom.db");
	if (waited)
		copy_database(first, f);
	folder_unlock(lock);
	pthread_join(second, &connected);
	tear_down(&other);
	expect(waited, "made a database while another was at it");
	assert_done(f, connected != NULL);
	/* The second finds what the first has saved. */
	assert_int_equal(append(f, "room_1", "x"), 11);
	read_range(f, "room_1", NEWEST(10));
	assert_text(buffer_text(&f->ids), "2 4 6 8 10 11 ");
}

enum { CREATORS = 4, ROUNDS = 20 };

struct creator {
	struct store *writer;
	pthread_barrier_t *start;
	bool saved;
};

static void *create_and_save(void *context)
{
	struct creator *creator = context;
	struct message m = message_in("room_1", "x");
	struct append one = {.message = &m};
	uint32_t log;

	pthread_barrier_wait(creator->start);
	/* Fails if the others keep it locked for BUSY_MS. */
	creator->saved = store_append(creator->writer, &one, 1, &log);
	return NULL;
}

static void of_what_creators_save_nothing_is_lost(void **state)
{
	struct fixture *f = *state;

	for (int round = 0; round < ROUNDS; round++) {
		struct creator creators[CREATORS];
		pthread_t threads[CREATORS];
		pthread_barrier_t start;
		int saved = 0;

		pthread_barrier_init(&start, NULL, CREATORS);
		for (int i = 0; i < CREATORS; i++) {
			creators[i] = (struct creator){
				store_of(&f->settings, STORE_WRITE), &start, false};
			threads[i] = thread_start(create_and_save,
			                          &creators[i]);
		}
		for (int i = 0; i < CREATORS; i++) {
			pthread_join(threads[i], NULL);
			store_free(creators[i].writer);
			saved += creators[i].saved;
		}
		pthread_barrier_destroy(&start);
		assert_true(saved > 0);
		assert_int_equal(read_log(f, 0, 100, ENOUGH).upto, saved);
		assert_int_equal(f->visits, saved);
		remove_database(f);
	}
}

static void a_replaced_database_is_noticed(void **state)
{
	struct fixture *f = *state;
	struct fixture other = *f;

	other.path = path_in(f->folder, "other.db");
	settings_init(&other.settings);
	other.backend->choose_url(&other);
	other.writer = store_of(&other.settings, STORE_WRITE);
	append_many(&other, "room_1", 3);
	store_free(other.writer);

	append_ten(f);
	uint32_t before = log_end_of(f, f->reader).log;
	remove_database(f);
	assert_int_equal(rename(other.path, f->path), 0);
	struct log_end after = log_end_of(f, f->reader);
	assert_int_equal(after.newest, 3);
	assert_true(after.log != before);
	assert_int_equal(append(f, "room_1", "x"), 4);
	settings_release(&other.settings);
	free(other.path);
}

static void a_locked_database_fails_and_recovers(void **state)
{
	struct fixture *f = *state;
	struct message m = message_in("room_1", "b");
	struct append one = {.message = &m};
	sqlite3 *other;
	uint32_t log;

	append(f, "room_1", "a");
	assert_int_equal(sqlite3_open(f->path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", 0, 0, 0),
	                 SQLITE_OK);
	assert_false(store_append(f->writer, &one, 1, &log));
	assert_non_null(strstr(store_error(f->writer), "locked"));
	assert_int_equal(m.id, 0);
	assert_int_equal(log_end_of(f, f->reader).newest, 1);
	sqlite3_close(other);
	assert_done(f, store_append(f->writer, &one, 1, &log));
	assert_int_equal(m.id, 2);
}

static void a_failed_batch_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct message messages[2] = {message_in("room_1", "good"),
	                              message_in("room_1", "bad")};
	struct append batch[2] = {{.message = &messages[0]},
	                          {.message = &messages[1]}};
	uint32_t log;

	assert_done(f, store_connect(f->writer));
	execute_on(f->path, "ALTER TABLE messages RENAME TO theirs");
	assert_false(store_append(f->writer, batch, 2, &log));
	assert_string_equal(store_error(f->writer), "no such table: messages");
	assert_int_equal(messages[0].id + messages[1].id, 0);
	execute_on(f->path, "ALTER TABLE theirs RENAME TO messages;"
	                    "CREATE TABLE proof (n CHECK (n = 0));"
	                    "INSERT INTO proof SELECT count(*) FROM rooms");
	assert_int_equal(log_end_of(f, f->reader).newest, 0);
	assert_int_equal(append(f, "room_1", "c"), 1);
}

/* A room created by it is gone after that, and no id is used up. */
static void a_refused_message_leaves_nothing(void **state)
{
	static const char *const raises[] = {"ABORT", "FAIL", "ROLLBACK"};
	struct fixture *f = *state;
	int64_t newest = 0;

	assert_done(f, store_connect(f->writer));
	for (size_t i = 0; i < LENGTH(raises); i++) {
		struct message messages[] = {message_in("room_1", "a"),
		                             message_in("lobby", "bad"),
		                             message_in("room_2", "b"),
		                             message_in("hall", "bad"),
		                             message_in("room_1", "c")};
		struct append batch[LENGTH(messages)] = {0};
		struct buffer sql = {0};
		uint32_t log;

		buffer_printf(&sql,
		              "DROP TRIGGER IF EXISTS refuse;"
		              "CREATE TRIGGER refuse AFTER INSERT ON messages"
		              " WHEN new.content = 'bad'"
		              " BEGIN SELECT raise(%s, 'no room'); END%c",
		              raises[i], '\0');
		execute_on(f->path, sql.data);
		buffer_release(&sql);
		for (size_t n = 0; n < LENGTH(messages); n++)
			batch[n].message = &messages[n];
		assert_done(f, store_append(f->writer, batch, LENGTH(batch), &log));
		for (size_t n = 0; n < LENGTH(messages); n++) {
			bool refused = n % 2 == 1;

			expect(refused == (batch[n].outcome == APPEND_REFUSED),
			       "%s: message %zu", raises[i], n);
			expect(messages[n].id == (refused ? 0 : ++newest),
			       "%s: message %zu", raises[i], n);
		}
		assert_string_equal(batch[1].why, "no room");
	}
	execute_on(f->path, "CREATE TABLE proof (n CHECK (n = 2));"
	                    "INSERT INTO proof SELECT count(*) FROM rooms");
}

static void room_ids_are_numbers_or_negative(void **state)
{
	struct fixture *f = *state;

	append(f, "lobby", "x");
	append(f, "room_26", "x");
	append(f, "hall", "x");
	append(f, "lobby", "x");
	execute_on(f->path,
	           "CREATE TABLE seen (room_id INTEGER UNIQUE, name TEXT);"
	           "INSERT INTO seen SELECT room_id, name FROM rooms;"
	           "CREATE TABLE proof (n CHECK (n = 3));"
	           "INSERT INTO proof SELECT count(*) FROM seen WHERE"
	           " (room_id, name) IN"
	           " (VALUES (26, 'room_26'), (-1, 'lobby'), (-2, 'hall'))");
}

static const struct CMUnitTest tests_of_all[] = {
	WITH_STORE("a new log is empty", a_new_log_is_empty),
	WITH_STORE("ids ascend across all rooms", ids_ascend_over_all_rooms),
	WITH_STORE("a batch gets ids in its own order",
	           a_batch_gets_ids_in_its_order),
	WITH_STORE("every field of a message is stored", every_field_is_kept),
	WITH_STORE("a missing client_id stays missing, and is never repeated",
	           no_client_id_stays_none),
	WITH_STORE("numbered rooms go up to the largest number",
	           room_numbers_reach_their_limit),
	WITH_STORE("no room is mistaken for another", a_room_is_no_other),
	WITH_STORE("a sender's repeated client_id gives the first id, or a "
	           "conflict",
	           a_repeated_client_id_gives_the_first_id),
	WITH_STORE("a client_id is scoped to its room",
	           a_client_id_counts_within_its_room),
	WITH_STORE("a client_id repeated within one batch is found there",
	           a_client_id_may_repeat_within_a_batch),
	WITH_STORE("pages are read in both directions and say if there are "
	           "more",
	           pages_are_read_in_each_direction),
	WITH_STORE("bytes cut a page alike in both directions",
	           bytes_cut_a_page_alike_in_each_direction),
	WITH_STORE("a page has its first and last position",
	           a_page_says_where_it_begins_and_ends),
	WITH_STORE("a room that does not exist is empty",
                   an_unknown_room_is_empty),
	WITH_STORE("a single message is found in its own room only",
	           one_message_is_found_in_its_room),
	WITH_STORE("the log is read within limits, up to a reported position",
	           the_log_is_read_within_limits),
	WITH_STORE("the log is read to its end with reads of any size",
	           the_log_is_read_to_its_end_by_any_limit),
	WITH_STORE("no id is used twice, even if its message was removed",
	           the_end_counts_what_was_removed),
	WITH_STORE("the tail of the log is about as long as requested",
	           the_tail_is_as_long_as_asked),
	WITH_STORE("the end of the log is visible to every connection",
	           the_end_is_seen_by_all),
	WITH_STORE("removed messages leave a mark in their room",
	           removed_messages_leave_a_mark),
	WITH_STORE("the beginnings of many rooms are read in one snapshot",
	           the_states_of_many_rooms_come_together),
	WITH_STORE("a page reports removals up to its end",
	           a_page_tells_what_was_removed_up_to_its_end),
	WITH_STORE("rooms changed by others are reported in order",
	           changed_rooms_are_told),
	WITH_STORE("the end of the log changes when messages are removed or "
	           "changed",
	           changes_are_counted),
	WITH_STORE("messages inserted by others are read",
	           rows_of_others_are_read),
	WITH_STORE("rooms with invalid names are skipped",
	           rooms_that_nobody_can_ask_for_are_passed_over),
};

int run_store(void)
{
	static const struct CMUnitTest tests[] = {
		TEST("a URL of no known store is refused",
	             what_is_no_store_is_refused),
		WITH_SQLITE("a reader waits until there is a database",
	                    a_reader_waits_for_the_database),
		WITH_SQLITE("a reader cannot write", a_reader_cannot_write),
		WITH_SQLITE("a foreign database is refused and left alone",
	                    a_foreign_database_is_left_alone),
		WITH_SQLITE("a foreign database that is refused keeps every "
	                    "byte",
	                    a_foreign_database_keeps_every_byte),
		WITH_SQLITE("a file that is not a database is refused",
	                    a_file_that_is_no_database_is_left_alone),
		WITH_SQLITE("a database of a newer version is refused",
	                    a_newer_version_is_refused),
		WITH_SQLITE("a reopened database is the same log",
	                    the_database_keeps_its_log_when_opened_anew),
		WITH_SQLITE("a removed database is created again, as another "
	                    "log",
	                    a_removed_database_is_made_anew),
		WITH_SQLITE("side files of a removed database are not used",
	                    side_files_of_a_removed_database_are_not_taken),
		WITH_SQLITE("a process that finds no database uses the one that "
	                    "another created meanwhile, with its side files",
	                    two_creators_at_once_share_a_database),
		WITH_SQLITE("several processes that create a database at once "
	                    "lose no saved message",
	                    of_what_creators_save_nothing_is_lost),
		WITH_SQLITE("a replaced database is noticed at once",
	                    a_replaced_database_is_noticed),
		WITH_SQLITE("saving fails while the database is locked, and "
	                    "then works again",
	                    a_locked_database_fails_and_recovers),
		WITH_SQLITE("nothing is left of a failed batch",
	                    a_failed_batch_leaves_nothing),
		WITH_SQLITE("a refused message affects no other and leaves no "
	                    "trace",
	                    a_refused_message_leaves_nothing),
		WITH_SQLITE("a numbered room's id is its number, other ids are "
	                    "negative",
	                    room_ids_are_numbers_or_negative),
	};

	return run_with_each_backend(tests_of_all, LENGTH(tests_of_all)) +
	       cmocka_run_group_tests_name("SQLite's file", tests, NULL, NULL);
}
