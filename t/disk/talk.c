#include "talk.h"

#include <assert.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "store/store.h"

/* ---- What is sent ---- */

/* How many messages each call of store_append() gets, again and again. */
static const size_t batches[] = {1, 1, 5, 1, 12, 1, 1, 2, 1};

enum {
	BATCH_KINDS = sizeof batches / sizeof batches[0],
	BATCH_MAX = 12,
	/* The calls before which the writer reopens, as the only one to have
	 * the database open, and before which a reader opens and stays. */
	REOPEN_EVERY = 25,
	READER_FROM = 35,
	CHECKPOINT_EVERY = 10,
	LONG_CONTENT = 6000, /* more than a page */
	LONG_EVERY = 9,
};

/* A message and its texts. */
struct line {
	struct message message;
	struct buffer content, client_id, sender, data;
};

static void line_make(struct line *line, size_t i)
{
	static const char *const rooms[] = {"room_26", "lobby", "room_7", "team-x"};
	struct message *m = &line->message;

	buffer_clear(&line->content);
	buffer_clear(&line->client_id);
	buffer_clear(&line->sender);
	buffer_clear(&line->data);
	buffer_printf(&line->content, "message %zu", i);
	while (i % LONG_EVERY == 0 && line->content.size < LONG_CONTENT)
		buffer_printf(&line->content, " and more of %zu", i);
	buffer_printf(&line->client_id, "client-id-%zu", i);
	buffer_printf(&line->sender, "sender-%zu", i % 3);
	*m = (struct message){
		.sender_id = buffer_text(&line->sender),
		.sender_name = buffer_text(&line->sender),
		.sender_type = text_of("user"),
		.content = buffer_text(&line->content),
		.sent_ms = 1790000000000 + (int64_t)i,
	};
	/* Every third one carries something. */
	if (i % 3 == 0) {
		buffer_printf(&line->data, "{\"number\":%zu}", i);
		m->type = text_of("join");
		m->data = buffer_text(&line->data);
		m->reply_to = (int64_t)i + 1;
	}
	/* Every fourth one cannot be repeated. */
	if (i % 4 != 3)
		m->client_id = buffer_text(&line->client_id);
	if (!room_name_parse(text_of(rooms[i / 2 % 4]), &m->room))
		abort();
}

static void line_release(struct line *line)
{
	buffer_release(&line->content);
	buffer_release(&line->client_id);
	buffer_release(&line->sender);
	buffer_release(&line->data);
}

static struct store *open_store(const struct settings *settings,
                                enum store_access access)
{
	struct buffer error = {0};
	struct store *store = store_new(&settings->store, access, &error);

	if (store == NULL)
		abort();
	return store;
}

/* ---- Sending ---- */

static void tell(int notes, struct buffer *text)
{
	if (write(notes, text->data, text->size) != (ssize_t)text->size)
		abort();
	buffer_clear(text);
}

static void send_batch(struct store *store, size_t first, size_t count, int notes)
{
	struct line lines[BATCH_MAX] = {0};
	struct append appends[BATCH_MAX];
	struct buffer text = {0};
	uint32_t log;

	for (size_t i = 0; i < count; i++) {
		line_make(&lines[i], first + i);
		appends[i].message = &lines[i].message;
		buffer_printf(&text, "sent %zu 0\n", first + i);
	}
	tell(notes, &text);
	bool saved = store_append(store, appends, count, &log);
	for (size_t i = 0; i < count; i++)
		if (saved)
			buffer_printf(&text, "saved %zu %" PRId64 "\n", first + i,
			              lines[i].message.id);
		else
			buffer_printf(&text, "failed %zu 0\n", first + i);
	tell(notes, &text);
	for (size_t i = 0; i < count; i++)
		line_release(&lines[i]);
	buffer_release(&text);
}

/* What SQLite does after each 1,000 pages, done by another connection. */
static void checkpoint(const struct settings *settings)
{
	sqlite3 *db;

	if (sqlite3_open(strchr(settings->store.url, '/'), &db) == SQLITE_OK)
		sqlite3_exec(db, "PRAGMA wal_checkpoint", NULL, NULL, NULL);
	sqlite3_close(db);
}

static void look(struct store *reader)
{
	struct log_end end;

	if (reader != NULL)
		store_log_end(reader, &end);
}

void talk_run(const struct settings *settings, int notes)
{
	struct store *writer = open_store(settings, STORE_WRITE), *reader = NULL;
	size_t sent = 0;

	for (size_t call = 0; sent < TALK_MESSAGES; call++) {
		size_t count = batches[call % BATCH_KINDS];

		if (count > TALK_MESSAGES - sent)
			count = TALK_MESSAGES - sent;
		if (call % REOPEN_EVERY == REOPEN_EVERY - 1) {
			store_free(writer);
			writer = open_store(settings, STORE_WRITE);
		}
		if (call == READER_FROM)
			reader = open_store(settings, STORE_READ);
		if (call % CHECKPOINT_EVERY == CHECKPOINT_EVERY - 1)
			checkpoint(settings);
		look(reader);
		send_batch(writer, sent, count, notes);
		sent += count;
	}
	if (reader != NULL)
		store_free(reader);
	store_free(writer);
}

void talk_note(struct talk *talk, struct text notes)
{
	static const char *const words[] = {
		[TALK_SENT] = "sent", [TALK_SAVED] = "saved",
		[TALK_FAILED] = "failed",
	};
	char *copy = memory_copy(notes.data, notes.size);
	char word[8];
	size_t i;
	int64_t id;
	int length;

	for (char *at = copy;
	     sscanf(at, "%7s %zu %" SCNd64 "\n%n", word, &i, &id, &length) == 3;
	     at += length) {
		assert(i < TALK_MESSAGES);
		talk->ids[i] = id;
		for (int state = TALK_SENT; state <= TALK_FAILED; state++)
			if (strcmp(word, words[state]) == 0)
				talk->states[i] = (enum talk_state)state;
	}
	free(copy);
}

/* ---- Checking ---- */

struct look {
	const struct talk *talk;
	struct buffer *error;
	size_t seen[TALK_MESSAGES];
	int64_t ids[TALK_MESSAGES], newest;
};

static bool is_same(const struct message *a, const struct message *b)
{
	return text_equal(room_name_text(&a->room), room_name_text(&b->room)) &&
	       text_equal(a->sender_id, b->sender_id) &&
	       text_equal(a->sender_name, b->sender_name) &&
	       text_equal(a->sender_type, b->sender_type) &&
	       text_equal(a->content, b->content) &&
	       text_equal(a->type, b->type) && text_equal(a->data, b->data) &&
	       a->reply_to == b->reply_to &&
	       text_equal(a->client_id, b->client_id) &&
	       a->sent_ms == b->sent_ms;
}

static void see(void *context, const struct message *m)
{
	struct look *look = context;
	struct line line = {0};
	/* The time of sending holds the number. */
	uint64_t i = (uint64_t)(m->sent_ms - 1790000000000);

	if (m->id <= look->newest)
		buffer_printf(look->error, "id %" PRId64 " comes after %" PRId64 "\n",
		              m->id, look->newest);
	look->newest = m->id;
	if (i >= TALK_MESSAGES) {
		buffer_printf(look->error, "id %" PRId64 " was never sent\n", m->id);
		return;
	}
	line_make(&line, i);
	if (!is_same(m, &line.message))
		buffer_printf(look->error, "message %" PRIu64 " is different\n", i);
	line_release(&line);
	look->ids[i] = m->id;
	look->seen[i]++;
}

static void read_all(struct store *store, struct look *look)
{
	struct log_page page;

	memset(look->seen, 0, sizeof look->seen);
	look->newest = 0;
	if (!store_read_log(store, 0, 10 * TALK_MESSAGES, INT64_MAX, see, look,
	                    &page))
		buffer_printf(look->error, "can't be read: %s\n", store_error(store));
}

static void check_message(struct look *look, size_t i, enum talk_failed failed)
{
	enum talk_state state = look->talk->states[i];
	size_t seen = look->seen[i];

	if (seen > 1)
		buffer_printf(look->error, "message %zu is there %zu times\n", i,
		              seen);
	if (state == TALK_SAVED && seen == 0)
		buffer_printf(look->error, "message %zu was saved, and is lost\n",
		              i);
	if (state == TALK_SAVED && seen == 1 && look->ids[i] != look->talk->ids[i])
		buffer_printf(look->error, "message %zu has another id\n", i);
	if (state == TALK_UNSENT && seen > 0)
		buffer_printf(look->error, "message %zu was not sent\n", i);
	if (state == TALK_FAILED && seen > 0 && failed == TALK_FAILED_IS_NOT_THERE)
		buffer_printf(look->error, "message %zu was not saved, and is "
		              "there\n", i);
}

/* Messages sent in one call are there together or not at all. */
static void check_batches(struct look *look)
{
	for (size_t call = 0, i = 0; i < TALK_MESSAGES; call++) {
		size_t end = i + batches[call % BATCH_KINDS];
		size_t first = look->seen[i];

		for (; i < end && i < TALK_MESSAGES; i++)
			if (look->seen[i] != first)
				buffer_printf(look->error, "message %zu is there "
				              "without its batch\n", i);
	}
}

static void check_log(struct store *store, struct look *look,
                      enum talk_failed failed)
{
	read_all(store, look);
	for (size_t i = 0; i < TALK_MESSAGES; i++)
		check_message(look, i, failed);
	check_batches(look);
}

static void repeat_all(struct store *store, struct look *look)
{
	struct line line = {0};
	struct append append = {.message = &line.message};
	uint32_t log;

	for (size_t i = 0; i < TALK_MESSAGES; i++) {
		line_make(&line, i);
		if (look->talk->states[i] == TALK_SAVED ||
		    line.message.client_id.data == NULL)
			continue;
		if (!store_append(store, &append, 1, &log))
			buffer_printf(look->error, "message %zu can't be repeated: "
			              "%s\n", i, store_error(store));
	}
	line_release(&line);
}

static void check_repeated(struct store *store, struct look *look)
{
	repeat_all(store, look);
	read_all(store, look);
	for (size_t i = 0; i < TALK_MESSAGES; i++)
		if (look->seen[i] != 1 &&
		    (i % 4 != 3 || look->talk->states[i] == TALK_SAVED))
			buffer_printf(look->error, "message %zu is there %zu times "
			              "after all was repeated\n", i, look->seen[i]);
}

static int check_row(void *error, int columns, char **values, char **names)
{
	(void)columns;
	(void)names;
	if (strcmp(values[0], "ok") != 0)
		buffer_printf(error, "%s\n", values[0]);
	return 0;
}

static void check_database(const struct settings *settings, struct buffer *error)
{
	static const char queries[] =
		"PRAGMA integrity_check;"
		"SELECT 'message ' || id || ' has no room' FROM messages"
		" WHERE room_id NOT IN (SELECT room_id FROM rooms)";
	sqlite3 *db;

	if (sqlite3_open(strchr(settings->store.url, '/'), &db) != SQLITE_OK ||
	    sqlite3_exec(db, queries, check_row, error, NULL) != SQLITE_OK)
		buffer_printf(error, "%s\n", sqlite3_errmsg(db));
	sqlite3_close(db);
}

bool talk_check(const struct talk *talk, const struct settings *settings,
                enum talk_failed failed, struct buffer *error)
{
	struct look look = {.talk = talk, .error = error};
	struct store *store = open_store(settings, STORE_WRITE);

	if (!store_connect(store)) {
		buffer_printf(error, "can't be opened: %s\n", store_error(store));
	} else {
		check_log(store, &look, failed);
		check_database(settings, error);
		check_repeated(store, &look);
	}
	store_free(store);
	return error->size == 0;
}
