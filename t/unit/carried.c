/* Tests of what a message carries in the log: type, data and reply_to. Every back-end
 * must pass them. */
#include "store_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Writing and reading ---- */

/* A message in room_1 that carries all, some or nothing. */
static struct message carrying(const char *type, const char *data, int64_t reply_to)
{
	struct message m = message_in("room_1", "a");

	m.type = text_of(type);
	m.data = text_of(data);
	m.reply_to = reply_to;
	return m;
}

static enum append_outcome append_message(struct fixture *f, struct message *m)
{
	struct append one = {.message = m};
	uint32_t log;

	assert_done(f, store_append(f->writer, &one, 1, &log));
	return one.outcome;
}

/* Adds "id:type|data|reply_to ". */
static void note_carried(void *context, const struct message *m)
{
	struct buffer *seen = context;

	buffer_printf(seen, "%lld:%.*s|%.*s|%lld ", (long long)m->id,
	              TEXT_ARGS(m->type), TEXT_ARGS(m->data),
	              (long long)m->reply_to);
	assert_false(m->is_signal);
}

/* Each way to read room_1, where all messages are. A range's bytes are only for
 * some. */
typedef void reading(struct fixture *f, int64_t bytes, struct buffer *seen);

static void read_room_in(struct fixture *f, struct store_range range,
                         struct buffer *seen)
{
	struct room_name room = room_named("room_1");
	struct store_page page;

	assert_done(f, store_read_room(f->reader, &room, &range, note_carried, seen,
	                               &page));
}

static void by_newest(struct fixture *f, int64_t bytes, struct buffer *seen)
{
	read_room_in(f, (struct store_range){STORE_NEWEST, 0, 100, bytes}, seen);
}

static void by_before(struct fixture *f, int64_t bytes, struct buffer *seen)
{
	read_room_in(f, (struct store_range){STORE_BEFORE, INT64_MAX, 100, bytes},
	             seen);
}

static void by_after(struct fixture *f, int64_t bytes, struct buffer *seen)
{
	read_room_in(f, (struct store_range){STORE_AFTER, 0, 100, bytes}, seen);
}

static void by_log(struct fixture *f, int64_t bytes, struct buffer *seen)
{
	struct log_page page;

	assert_done(f, store_read_log(f->reader, 0, 100, bytes, note_carried, seen,
	                              &page));
}

static void by_rooms(struct fixture *f, int64_t bytes, struct buffer *seen)
{
	struct store_range range = {STORE_AFTER, 0, 100, bytes};
	struct room_name rooms[] = {room_named("lobby"), room_named("room_1")};
	struct room_state states[LENGTH(rooms)];
	struct rooms_page page = {.states = states};

	assert_done(f, store_read_rooms(f->reader, rooms, LENGTH(rooms), &range,
	                                note_carried, seen, &page));
}

static void by_all(struct fixture *f, int64_t bytes, struct buffer *seen)
{
	struct store_range range = {STORE_AFTER, 0, 100, bytes};
	struct room_gap places[1];
	struct rooms_gaps gaps = {.gaps = places, .most = LENGTH(places)};
	struct rooms_page page;

	assert_done(f, store_read_all(f->reader, &range, note_carried, seen, &gaps,
	                              &page));
}

static void one_by_one(struct fixture *f, int64_t bytes, struct buffer *seen)
{
	struct room_name room = room_named("room_1");
	struct log_end end;
	bool found;

	(void)bytes;
	assert_done(f, store_log_end(f->reader, &end));
	for (int64_t id = 1; id <= end.newest; id++)
		assert_done(f, store_read_one(f->reader, &room, id, note_carried,
		                              seen, &end, &found));
}

static const struct {
	const char *name;
	reading *read;
} readings[] = {
	{"the newest page", by_newest}, {"the page before", by_before},
	{"the page after", by_after},   {"the log", by_log},
	{"several rooms", by_rooms},    {"all rooms", by_all},
	{"one by one", one_by_one},
};

static void every_reading_gives(struct fixture *f, const char *expected)
{
	struct buffer seen = {0};

	for (size_t i = 0; i < LENGTH(readings); i++) {
		buffer_clear(&seen);
		readings[i].read(f, ENOUGH, &seen);
		expect(text_is(buffer_text(&seen), expected), "%s: '%.*s'",
		       readings[i].name, TEXT_ARGS(buffer_text(&seen)));
	}
	buffer_release(&seen);
}

/* ---- Tests ---- */

static const char drawn[] = "{\"a\":[1.50,1e400,\"\\u00e9\xc3\xa9\"],\"\":null}";

static void every_way_of_reading_gives_what_was_carried(void **state)
{
	struct fixture *f = *state;
	struct message messages[] = {
		carrying("join", drawn, 7),     carrying("", "", 0),
		carrying("a.b_c-1", "", 0),     carrying("", "{}", 0),
		carrying("", "", INT64_MAX),    carrying(NULL, NULL, 0),
	};
	struct append batch[LENGTH(messages)] = {0};
	struct buffer expected = {0};
	uint32_t log;

	for (size_t i = 0; i < LENGTH(messages); i++)
		batch[i].message = &messages[i];
	assert_done(f, store_append(f->writer, batch, LENGTH(batch), &log));
	for (size_t i = 0; i < LENGTH(messages); i++)
		note_carried(&expected, &messages[i]);
	buffer_add(&expected, "", 1);
	every_reading_gives(f, expected.data);
	buffer_release(&expected);
}

static void a_repeat_carries_the_same(void **state)
{
	static const struct {
		const char *type, *data;
		int64_t reply_to;
	} rows[] = {
		{"", "", 0},       {"join", "", 0},         {"", "{\"a\":1}", 0},
		{"", "", 3},       {"leave", "", 0},        {"", "{\"a\":2}", 0},
		{"", "", 4},       {"join", "{\"a\":1}", 0}, {"", "{\"a\":1}", 3},
		{"join", "", 3},   {"join", "{\"a\":1}", 3},
	};
	struct fixture *f = *state;
	char client_id[] = "a";

	for (size_t first = 0; first < LENGTH(rows); first++, client_id[0]++)
		for (size_t i = 0; i <= LENGTH(rows); i++) {
			size_t row = i == 0 ? first : i - 1;
			struct message m = carrying(rows[row].type,
			                            rows[row].data,
			                            rows[row].reply_to);
			enum append_outcome due = i == 0 ? APPEND_SAVED
			                          : row == first
			                                  ? APPEND_REPEATED
			                                  : APPEND_CONFLICT;

			m.client_id = text_of(client_id);
			expect(append_message(f, &m) == due, "row %zu after %zu",
			       row, first);
		}
}

/* A message counts with 128 bytes and its content, and here with 871 of data. */
static void data_counts_towards_the_bytes_of_a_read(void **state)
{
	static const char first_three[] = "1 2 3 ", last_three[] = "8 9 10 ";
	static const char *const expected[] = {last_three,  last_three,
	                                       first_three, first_three,
	                                       first_three, first_three};
	struct fixture *f = *state;
	struct buffer seen = {0};
	char data[872], filling[864];
	int64_t tail;

	memset(filling, 'x', sizeof filling - 1);
	filling[sizeof filling - 1] = '\0';
	snprintf(data, sizeof data, "{\"a\":\"%s\"}", filling);
	for (int i = 0; i < 10; i++) {
		struct message m = carrying("", data, 0);

		append_message(f, &m);
	}
	for (size_t i = 0; i < LENGTH(expected); i++) {
		struct buffer ids = {0};

		buffer_clear(&seen);
		readings[i].read(f, 2500, &seen);
		buffer_add(&seen, "", 1);
		for (char *at = seen.data; *at != '\0'; at = strchr(at, ' ') + 1)
			buffer_printf(&ids, "%d ", atoi(at));
		expect(text_is(buffer_text(&ids), expected[i]), "%s: '%.*s'",
		       readings[i].name, TEXT_ARGS(buffer_text(&ids)));
		buffer_release(&ids);
	}
	assert_done(f, store_find_tail(f->reader, 2500, &tail));
	assert_int_equal(tail, 7);
	buffer_release(&seen);
}

static void a_row_with_longer_data_is_skipped(void **state)
{
	struct fixture *f = *state;
	struct message before = carrying("", "{}", 0), after = carrying("", "", 1);

	append_message(f, &before);
	f->backend->execute(
		f, "INSERT INTO messages (room_id, sender_id, sender_name,"
		   " content, sent_ms, data) VALUES (1, '9', 'x', 'x', 0,"
		   " '{\"a\":\"' || replace(hex(zeroblob(2500000)), '00', 'ab')"
		   " || '\"}')");
	append_message(f, &after);
	every_reading_gives(f, "1:|{}|0 3:||1 ");
}

/* Another program's row: clients get no type that a client may not send, and no id
 * that is none. */
static void a_row_carries_only_what_a_client_may_send(void **state)
{
	static const struct {
		const char *type, *reply_to, *expected;
	} rows[] = {
		{"'join'", "1", "1:join||1 "},
		{"'chat_message'", "NULL", "2:chat_message||0 "},
		{"'Join'", "0", "3:||0 "},
		{"'join room'", "-1", "4:||0 "},
		{"''", "NULL", "5:||0 "},
		{"'message_edited'", "NULL", "6:||0 "},
		{"'message_deleted'", "NULL", "7:||0 "},
		{"'presence'", "NULL", "8:||0 "},
		{"'a' || hex(zeroblob(40))", "NULL", "9:||0 "},
	};
	struct fixture *f = *state;
	struct buffer sql = {0}, expected = {0};

	assert_done(f, store_connect(f->writer));
	for (size_t i = 0; i < LENGTH(rows); i++) {
		buffer_clear(&sql);
		buffer_printf(&sql,
		              "INSERT INTO messages (room_id, sender_id,"
		              " sender_name, content, sent_ms, type, reply_to)"
		              " VALUES (1, '9', 'x', 'x', 0, %s, %s)",
		              rows[i].type, rows[i].reply_to);
		buffer_add(&sql, "", 1);
		f->backend->execute(f, sql.data);
		buffer_add_string(&expected, rows[i].expected);
	}
	buffer_add(&expected, "", 1);
	every_reading_gives(f, expected.data);
	buffer_release(&sql);
	buffer_release(&expected);
}

static void what_sql_changes_of_it_is_told(void **state)
{
	static const char *const changes[] = {
		"UPDATE messages SET type = 'join'",
		"UPDATE messages SET data = '{\"a\":1}'",
		"UPDATE messages SET reply_to = 1",
	};
	struct fixture *f = *state;
	struct message m = carrying("", "", 0);
	struct room_change room;
	struct log_end end;

	append_message(f, &m);
	for (size_t i = 0; i < LENGTH(changes); i++) {
		int64_t upto;
		size_t count;

		assert_done(f, store_log_end(f->reader, &end));
		f->backend->execute(f, changes[i]);
		assert_done(f, store_read_changes(f->reader, end.changes, &room, 1,
		                                  &count, &upto, &end));
		expect(count == 1 && room.edited, "%s", changes[i]);
	}
	every_reading_gives(f, "1:join|{\"a\":1}|1 ");
}

int run_carried(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_STORE("every way of reading gives the type, data and reply_to "
	                   "that a message has, and none to others",
	                   every_way_of_reading_gives_what_was_carried),
		WITH_STORE("a repeated client_id with another type, data or "
	                   "reply_to is a conflict",
	                   a_repeat_carries_the_same),
		WITH_STORE("data counts towards the bytes at which a read ends",
	                   data_counts_towards_the_bytes_of_a_read),
		WITH_STORE("a row whose data makes it longer than 4 MiB is skipped",
	                   a_row_with_longer_data_is_skipped),
		WITH_STORE("a row of another program has no type that a client may "
	                   "not send, and answers no message that cannot be",
	                   a_row_carries_only_what_a_client_may_send),
		WITH_STORE("a change of type, data or reply_to by SQL is told",
	                   what_sql_changes_of_it_is_told),
	};

	return run_with_each_backend(tests, LENGTH(tests));
}
