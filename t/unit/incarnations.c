/* Tests of cursors after a log is restored: the list of its incarnations, the
 * record beside the database, and when a writer that opens it begins a new
 * incarnation. */
#include "unit.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "store/acknowledged_file.h"
#include "store/store.h"

/* ---- The list ---- */

enum { A = 0x0000000a, B = 0x0000000b, C = 0xfffffffc, NOT_THERE = 0x0000000d };

/* Began at 0, 5 and 8. */
static struct incarnations three_incarnations(void)
{
	struct incarnations list = {0};

	incarnations_add(&list, A, 0);
	incarnations_add(&list, B, 5);
	incarnations_add(&list, C, 8);
	return list;
}

static void a_cursor_is_good_up_to_what_was_kept(void **state)
{
	static const struct {
		uint32_t tag;
		int64_t id;
		enum standing standing;
	} rows[] = {
		{A, 0, STANDING_GOOD},
		{A, 4, STANDING_GOOD},
		{A, 5, STANDING_GOOD},
		{A, 6, STANDING_PASSED},
		{A, 8, STANDING_PASSED},
		{A, INT64_MAX, STANDING_PASSED},
		{B, 0, STANDING_GOOD},
		{B, 6, STANDING_GOOD},
		{B, 8, STANDING_GOOD},
		{B, 9, STANDING_PASSED},
		{C, 0, STANDING_GOOD},
		{C, 9, STANDING_GOOD},
		{C, INT64_MAX, STANDING_GOOD},
		{NOT_THERE, 0, STANDING_UNKNOWN},
		{NOT_THERE, 5, STANDING_UNKNOWN},
		{NOT_THERE, INT64_MAX, STANDING_UNKNOWN},
	};
	struct incarnations list = three_incarnations();

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		const struct cursor cursor = {.names_log = true,
		                              .log = rows[i].tag,
		                              .id = rows[i].id};

		expect(incarnations_judge(&list, &cursor) == rows[i].standing,
		       "row %zu", i);
	}
	incarnations_release(&list);
}

/* Changing sqlite_sequence by hand can make one that begins before another. */
static void any_incarnation_behind_counts(void **state)
{
	struct incarnations list = {0};
	struct cursor cursor = {.names_log = true, .log = A, .id = 4};

	(void)state;
	incarnations_add(&list, A, 0);
	incarnations_add(&list, B, 3);
	incarnations_add(&list, C, 9);
	assert_int_equal(incarnations_judge(&list, &cursor), STANDING_PASSED);
	cursor.log = B;
	assert_int_equal(incarnations_judge(&list, &cursor), STANDING_GOOD);
	incarnations_release(&list);
}

static void an_id_alone_is_good_in_any_log(void **state)
{
	struct incarnations list = three_incarnations(), none = {0};
	struct cursor cursor = {.id = 7};

	(void)state;
	assert_int_equal(incarnations_judge(&list, &cursor), STANDING_GOOD);
	assert_int_equal(incarnations_judge(&none, &cursor), STANDING_GOOD);
	cursor.names_log = true;
	assert_int_equal(incarnations_judge(&none, &cursor), STANDING_UNKNOWN);
	incarnations_release(&list);
}

static void a_copy_is_its_own(void **state)
{
	struct incarnations list = three_incarnations(), copy = {0};

	(void)state;
	incarnations_add(&copy, NOT_THERE, 1);
	incarnations_copy(&copy, &list);
	incarnations_release(&list);
	assert_int_equal(copy.count, 3);
	assert_int_equal(copy.entries[1].began, 5);
	assert_true(incarnations_end_with(&copy, C));
	assert_false(incarnations_end_with(&copy, A));
	assert_false(incarnations_end_with(&list, C));
	incarnations_release(&copy);
}

/* ---- The record ---- */

static const struct acknowledged sample = {0x5f3a9c01, 0x9be01d22, 142};

static bool parse(const char *line, size_t size, struct acknowledged *record)
{
	return acknowledged_parse((struct text){line, size}, record);
}

static void a_record_comes_back_as_it_was(void **state)
{
	static const struct acknowledged records[] = {
		{0, 0, 0},
		{0x5f3a9c01, 0x9be01d22, 142},
		{UINT32_MAX, UINT32_MAX, INT64_MAX},
	};
	char line[ACKNOWLEDGED_SIZE];

	(void)state;
	for (size_t i = 0; i < LENGTH(records); i++) {
		struct acknowledged read = {7, 7, 7};

		acknowledged_render(&records[i], line);
		expect(parse(line, sizeof line, &read), "%.*s",
		       ACKNOWLEDGED_SIZE, line);
		assert_int_equal(read.first, records[i].first);
		assert_int_equal(read.newest, records[i].newest);
		assert_int_equal(read.id, records[i].id);
	}
}

static void a_torn_record_is_none(void **state)
{
	static const struct acknowledged later = {0x5f3a9c01, 0x0000ffff,
	                                          99999999};
	char was[ACKNOWLEDGED_SIZE], is[ACKNOWLEDGED_SIZE + 1] = "";
	struct acknowledged read;

	(void)state;
	acknowledged_render(&sample, was);
	for (size_t n = 0; n < ACKNOWLEDGED_SIZE; n++) {
		acknowledged_render(&later, is);
		expect(!parse(is, n, &read), "the first %zu bytes", n);
		/* This much of it written over the previous one. */
		memcpy(is + n, was + n, ACKNOWLEDGED_SIZE - n);
		/* The last byte is the same in both. */
		bool whole = memcmp(is, was, ACKNOWLEDGED_SIZE) == 0 ||
		             n == ACKNOWLEDGED_SIZE - 1;
		expect(parse(is, ACKNOWLEDGED_SIZE, &read) == whole,
		       "%zu bytes over another", n);
		memcpy(is, was, ACKNOWLEDGED_SIZE);
		is[n] ^= 1;
		expect(!parse(is, ACKNOWLEDGED_SIZE, &read), "byte %zu", n);
	}
	acknowledged_render(&sample, is);
	assert_false(parse(is, ACKNOWLEDGED_SIZE + 1, &read));
}

static void a_record_is_in_a_log_that_has_it(void **state)
{
	static const struct {
		struct acknowledged record;
		bool is_in;
	} rows[] = {
		/* The list is A from 0, B from 5, C from 8; the end is 10. */
		{{A, C, 10}, true},  {{A, C, 11}, false}, {{A, C, 0}, true},
		{{A, B, 8}, true},   {{A, B, 9}, false},  {{A, A, 5}, true},
		{{A, A, 6}, false},  {{A, NOT_THERE, 1}, false},
		{{B, C, 10}, false}, {{NOT_THERE, NOT_THERE, 1}, false},
	};
	struct incarnations list = three_incarnations();

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++)
		expect(acknowledged_is_in(&rows[i].record, A, &list, 10) ==
		               rows[i].is_in,
		       "row %zu", i);
	incarnations_release(&list);
}

static void a_record_is_never_lowered(void **state)
{
	static const struct {
		struct acknowledged was, now;
		bool follows;
	} rows[] = {
		{{A, C, 9}, {A, C, 10}, true},
		{{A, C, 10}, {A, C, 10}, false},
		{{A, C, 11}, {A, C, 10}, false},
		{{A, B, 99}, {A, C, 10}, true},
		/* Another writer has begun one, and we have not heard of it
		 * yet. */
		{{A, NOT_THERE, 1}, {A, C, 10}, false},
		{{NOT_THERE, NOT_THERE, 99}, {A, C, 10}, true},
	};
	struct incarnations list = three_incarnations();

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		expect(acknowledged_follows(&rows[i].was, &rows[i].now, &list) ==
		               rows[i].follows,
		       "row %zu", i);
		/* From the newest incarnation there is, all but its own. */
		bool is_same = rows[i].was.newest == rows[i].now.newest;
		expect(acknowledged_follows(&rows[i].was, &rows[i].now, NULL) ==
		               (rows[i].follows || !is_same),
		       "row %zu, newest", i);
	}
	incarnations_release(&list);
}

/* ---- A log is opened ---- */

struct fixture {
	char *folder, *path, *record_path;
	struct settings settings;
	struct store *writer, *other;
};

static int set_up(void **state)
{
	struct fixture *f = memory_get(sizeof *f);

	f->folder = folder_make();
	f->path = path_in(f->folder, "longroom.db");
	f->record_path = path_in(f->folder, "longroom.db-acknowledged");
	settings_init(&f->settings);
	f->settings.store.busy_timeout = 100;
	settings_use_sqlite(&f->settings, f->path);
	f->writer = store_of(&f->settings, STORE_WRITE);
	f->other = store_of(&f->settings, STORE_WRITE);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	store_free(f->writer);
	store_free(f->other);
	settings_release(&f->settings);
	free(f->path);
	free(f->record_path);
	folder_remove(f->folder);
	free(f);
	return 0;
}

static void execute_on(const char *path, const char *sql)
{
	sqlite3 *db;
	char *why = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_exec(db, sql, NULL, NULL, &why);
	sqlite3_close(db);
	expect(why == NULL, "%s: %s", sql, why);
}

/* Appends this many and returns the tag that they got. */
static uint32_t append(struct store *store, int count)
{
	uint32_t log = 0;

	for (int i = 0; i < count; i++) {
		struct message m = {.room = room_named("room_1"),
		                    .sender_id = text_of("2"),
		                    .sender_name = text_of("ann"),
		                    .sender_type = text_of("user"),
		                    .content = text_of("x")};
		struct append one = {.message = &m};

		expect(store_append(store, &one, 1, &log), "%s",
		       store_error(store));
	}
	return log;
}

/* Ends the writer, so that everything is in the database, and opens another. */
static void open_again(struct fixture *f)
{
	store_free(f->writer);
	f->writer = store_of(&f->settings, STORE_WRITE);
	expect(store_connect(f->writer), "%s", store_error(f->writer));
}

static struct log_end end_of(struct store *store)
{
	struct log_end end;

	expect(store_log_end(store, &end), "%s", store_error(store));
	return end;
}

static enum standing standing_of(struct store *store, uint32_t tag, int64_t id)
{
	const struct cursor cursor = {.names_log = true, .log = tag, .id = id};

	end_of(store);
	return incarnations_judge(store_incarnations(store), &cursor);
}

static size_t count_of(struct store *store)
{
	end_of(store);
	return store_incarnations(store)->count;
}

static void copy_file(const char *from, const char *to)
{
	struct buffer bytes = {0};
	FILE *file = fopen(from, "r");
	int byte;

	expect(file != NULL, "%s", from);
	while ((byte = fgetc(file)) != EOF) {
		char c = (char)byte;

		buffer_add(&bytes, &c, 1);
	}
	fclose(file);
	file_write(to, buffer_text(&bytes));
	buffer_release(&bytes);
}

/* Writes this many messages, keeps the database as a backup, writes five more.
 * Returns the backup's path, caller frees. */
static char *make_backup(struct fixture *f, int count)
{
	char *backup = path_in(f->folder, "backup.db");

	append(f->writer, count);
	open_again(f);
	store_free(f->writer);
	copy_file(f->path, backup);
	f->writer = store_of(&f->settings, STORE_WRITE);
	append(f->writer, 5);
	return backup;
}

static void restore(struct fixture *f, const char *backup)
{
	store_free(f->writer);
	copy_file(backup, f->path);
	f->writer = store_of(&f->settings, STORE_WRITE);
	expect(store_connect(f->writer), "%s", store_error(f->writer));
}

static void a_start_begins_nothing(void **state)
{
	struct fixture *f = *state;
	uint32_t log = append(f->writer, 3);

	for (int i = 0; i < 3; i++) {
		open_again(f);
		assert_int_equal(count_of(f->writer), 1);
		assert_true(append(f->writer, 1) == log);
	}
}

static void a_restored_backup_is_noticed(void **state)
{
	struct fixture *f = *state;
	char *backup = make_backup(f, 4);
	uint32_t before = end_of(f->writer).log;

	restore(f, backup);
	uint32_t after = append(f->writer, 6);
	assert_true(after != before);
	assert_int_equal(count_of(f->writer), 2);
	assert_int_equal(end_of(f->writer).newest, 10);
	assert_int_equal(standing_of(f->writer, before, 4), STANDING_GOOD);
	assert_int_equal(standing_of(f->writer, before, 5), STANDING_PASSED);
	assert_int_equal(standing_of(f->writer, after, 10), STANDING_GOOD);
	/* And only once. */
	open_again(f);
	assert_int_equal(count_of(f->writer), 2);
	free(backup);
}

static void a_backup_restored_twice_is_noticed_twice(void **state)
{
	struct fixture *f = *state;
	char *backup = make_backup(f, 4);
	uint32_t before = end_of(f->writer).log;

	restore(f, backup);
	uint32_t first = append(f->writer, 6);
	restore(f, backup);
	uint32_t second = append(f->writer, 7);
	assert_true(first != second);
	assert_int_equal(count_of(f->writer), 2);
	assert_int_equal(standing_of(f->writer, before, 4), STANDING_GOOD);
	assert_int_equal(standing_of(f->writer, before, 5), STANDING_PASSED);
	assert_int_equal(standing_of(f->writer, first, 7), STANDING_UNKNOWN);
	open_again(f);
	assert_int_equal(count_of(f->writer), 2);
	free(backup);
}

static void an_original_put_back_is_noticed(void **state)
{
	struct fixture *f = *state;
	char *backup = make_backup(f, 4), *original = path_in(f->folder, "was.db");
	uint32_t before = end_of(f->writer).log;

	store_free(f->writer);
	copy_file(f->path, original);
	f->writer = store_of(&f->settings, STORE_WRITE);
	restore(f, backup);
	uint32_t between = append(f->writer, 1);
	restore(f, original);
	uint32_t after = append(f->writer, 1);
	assert_int_equal(count_of(f->writer), 2);
	assert_int_equal(standing_of(f->writer, before, 9), STANDING_GOOD);
	assert_int_equal(standing_of(f->writer, between, 5), STANDING_UNKNOWN);
	assert_int_equal(standing_of(f->writer, after, 10), STANDING_GOOD);
	open_again(f);
	assert_int_equal(count_of(f->writer), 2);
	free(backup);
	free(original);
}

static void a_log_without_a_record_begins_anew(void **state)
{
	struct fixture *f = *state;
	uint32_t before = append(f->writer, 3);

	for (int i = 0; i < 3; i++) {
		if (i == 0)
			assert_int_equal(unlink(f->record_path), 0);
		else if (i == 1)
			file_write(f->record_path, text_of("longroom 1 5f3a9c"));
		else
			file_write(f->record_path, text_of("longroom 2 and more "
				"than there ever was in a line of version one"));
		open_again(f);
		assert_int_equal(count_of(f->writer), 2 + i);
		assert_int_equal(standing_of(f->writer, before, 3),
		                 STANDING_GOOD);
		/* The record exists again. */
		open_again(f);
		assert_int_equal(count_of(f->writer), 2 + i);
	}
	append(f->writer, 1);
	assert_int_equal(standing_of(f->writer, before, 4), STANDING_PASSED);
}

static void an_empty_log_begins_once(void **state)
{
	struct fixture *f = *state;

	open_again(f);
	assert_int_equal(unlink(f->record_path), 0);
	open_again(f);
	assert_int_equal(count_of(f->writer), 1);
}

/* Its clients may have been ahead of it when it was last here. */
static void a_record_of_another_log_is_none(void **state)
{
	struct fixture *f = *state;
	char *backup = make_backup(f, 4);

	store_free(f->writer);
	assert_int_equal(unlink(f->path), 0);
	f->writer = store_of(&f->settings, STORE_WRITE);
	append(f->writer, 1);
	assert_int_equal(count_of(f->writer), 1);
	restore(f, backup);
	assert_int_equal(count_of(f->writer), 2);
	free(backup);
}

static void an_empty_backup_is_noticed(void **state)
{
	struct fixture *f = *state;
	char *backup = make_backup(f, 0);
	uint32_t before = end_of(f->writer).log;

	restore(f, backup);
	append(f->writer, 9);
	assert_int_equal(standing_of(f->writer, before, 0), STANDING_GOOD);
	assert_int_equal(standing_of(f->writer, before, 1), STANDING_PASSED);
	free(backup);
}

/* Replaced by rename, under a running writer. */
static void a_backup_put_under_a_writer_is_noticed(void **state)
{
	struct fixture *f = *state;
	char *backup = make_backup(f, 4);
	uint32_t before = end_of(f->writer).log;

	/* Without side files, so that none is taken for the backup's. */
	open_again(f);
	store_free(f->other);
	execute_on(f->path, "PRAGMA wal_checkpoint(TRUNCATE)");
	assert_int_equal(rename(backup, f->path), 0);
	uint32_t after = append(f->writer, 6);
	assert_true(after != before);
	assert_int_equal(standing_of(f->writer, before, 5), STANDING_PASSED);
	f->other = store_of(&f->settings, STORE_WRITE);
	free(backup);
}

static void what_another_begins_is_known_at_once(void **state)
{
	struct fixture *f = *state;
	struct acknowledged record;
	uint32_t before = append(f->writer, 3);

	assert_int_equal(unlink(f->record_path), 0);
	uint32_t begun = append(f->other, 1);
	assert_true(begun != before);
	assert_true(append(f->writer, 1) == begun);
	assert_true(acknowledged_file_read(f->path, &record));
	assert_true(record.first == before && record.newest == begun);
	assert_int_equal(record.id, 5);
	assert_int_equal(count_of(f->writer), 2);
}

static void two_writers_keep_one_record(void **state)
{
	struct fixture *f = *state;
	struct acknowledged record;
	uint32_t log = append(f->writer, 1);

	for (int i = 0; i < 5; i++) {
		assert_true(append(f->other, 1) == log);
		assert_true(append(f->writer, 1) == log);
	}
	assert_true(acknowledged_file_read(f->path, &record));
	assert_int_equal(record.id, 11);
	open_again(f);
	assert_int_equal(count_of(f->writer), 1);
}

static void a_record_that_is_removed_is_made_again(void **state)
{
	struct fixture *f = *state;
	struct acknowledged record;
	struct stat status;

	append(f->writer, 3);
	assert_int_equal(unlink(f->record_path), 0);
	mode_t before = umask(0777);
	append(f->writer, 1);
	umask(before);
	assert_true(acknowledged_file_read(f->path, &record));
	assert_int_equal(record.id, 4);
	assert_int_equal(stat(f->record_path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0660);
}

/* A folder of that name can be neither opened nor replaced. */
static void no_message_is_lost_for_want_of_a_record(void **state)
{
	struct fixture *f = *state;

	append(f->writer, 3);
	assert_int_equal(unlink(f->record_path), 0);
	assert_int_equal(mkdir(f->record_path, 0700), 0);
	append(f->writer, 3);
	assert_int_equal(end_of(f->writer).newest, 6);
	open_again(f);
	append(f->writer, 1);
	/* Each start would begin another one. */
	assert_int_equal(count_of(f->writer), 1);
	assert_int_equal(rmdir(f->record_path), 0);
	append(f->writer, 1);
	open_again(f);
	assert_int_equal(count_of(f->writer), 1);
}

/* ---- By the operator ---- */

static void the_operator_begins_one_where_nobody_writes(void **state)
{
	struct fixture *f = *state;
	uint32_t before = append(f->writer, 3);
	struct log_end end;

	assert_false(store_begin_incarnation(f->other, &end));
	expect(strstr(store_error(f->other), "another writer") != NULL, "%s",
	       store_error(f->other));
	assert_int_equal(count_of(f->writer), 1);
	store_free(f->writer);
	expect(store_begin_incarnation(f->other, &end), "%s",
	       store_error(f->other));
	assert_true(end.log != before);
	assert_int_equal(end.newest, 3);
	f->writer = store_of(&f->settings, STORE_WRITE);
	assert_true(append(f->writer, 1) == end.log);
	assert_int_equal(count_of(f->writer), 2);
	assert_int_equal(standing_of(f->writer, before, 3), STANDING_GOOD);
	assert_int_equal(standing_of(f->writer, before, 4), STANDING_PASSED);
}

/* Even one whose record was removed meanwhile. */
static void a_writer_is_seen_when_its_record_has_gone(void **state)
{
	struct fixture *f = *state;
	struct log_end end;

	append(f->writer, 1);
	assert_int_equal(unlink(f->record_path), 0);
	append(f->writer, 1);
	assert_false(store_begin_incarnation(f->other, &end));
}

static void none_begins_where_there_is_no_log(void **state)
{
	struct fixture *f = *state;
	struct log_end end;

	assert_false(store_begin_incarnation(f->other, &end));
	assert_int_not_equal(access(f->path, F_OK), 0);
	assert_int_not_equal(access(f->record_path, F_OK), 0);
	file_write(f->path, text_of("This is no database, and of a size that "
		"could be one's if it were not for what stands in it: none .."));
	assert_false(store_begin_incarnation(f->other, &end));
}

static void the_oldest_are_forgotten_in_the_end(void **state)
{
	struct fixture *f = *state;
	uint32_t before = append(f->writer, 3);
	struct log_end end;

	store_free(f->writer);
	execute_on(f->path,
	           "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL"
	           " SELECT i + 1 FROM n WHERE i < 999)"
	           " INSERT INTO incarnations (tag, began)"
	           " SELECT (SELECT 5000000000 - identity FROM log) + i, 3 FROM n;"
	           " UPDATE newest_incarnation SET tag = (SELECT tag FROM incarnations"
	           " ORDER BY number DESC LIMIT 1)");
	assert_true(store_begin_incarnation(f->other, &end));
	f->writer = store_of(&f->settings, STORE_WRITE);
	assert_int_equal(count_of(f->writer), INCARNATIONS_MAX);
	assert_int_equal(standing_of(f->writer, before, 1), STANDING_UNKNOWN);
	assert_int_equal(standing_of(f->writer, end.log, 3), STANDING_GOOD);
	/* The log is known by its first tag all the same. */
	open_again(f);
	assert_true(end_of(f->writer).log == end.log);
}

/* ---- A database of version 1 ---- */

static const char version_1[] =
	"CREATE TABLE log (identity INTEGER NOT NULL,"
	"  removals INTEGER NOT NULL DEFAULT 0);"
	"CREATE TABLE rooms (room_id INTEGER PRIMARY KEY,"
	"  name TEXT NOT NULL UNIQUE, pruned_id INTEGER NOT NULL DEFAULT 0);"
	"CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  room_id INTEGER NOT NULL, sender_id TEXT NOT NULL,"
	"  sender_name TEXT NOT NULL, sender_type TEXT NOT NULL DEFAULT 'user',"
	"  content TEXT NOT NULL, client_id TEXT, sent_ms INTEGER NOT NULL);"
	"CREATE INDEX messages_by_room ON messages (room_id);"
	"CREATE UNIQUE INDEX messages_by_client_id"
	"  ON messages (room_id, sender_id, client_id)"
	"  WHERE client_id IS NOT NULL;"
	"CREATE TRIGGER messages_removed AFTER DELETE ON messages BEGIN"
	"  INSERT OR IGNORE INTO rooms (room_id, name)"
	"    VALUES (old.room_id, 'room_' || old.room_id);"
	"  UPDATE rooms SET pruned_id = max(pruned_id, old.id)"
	"    WHERE room_id = old.room_id;"
	"  UPDATE log SET removals = removals + 1;"
	"END;"
	"INSERT INTO log (identity) VALUES (1597676545);" /* 0x5f3a9c01 */
	"INSERT INTO rooms (room_id, name) VALUES (1, 'room_1');"
	"INSERT INTO messages (room_id, sender_id, sender_name, content, client_id,"
	"  sent_ms) VALUES (1, '2', 'ann', 'one', NULL, 1), (1, '2', 'ann', 'two',"
	"  'c', 2), (1, '3', 'bob', 'three', NULL, 3);"
	"PRAGMA application_id = 1282303858; PRAGMA user_version = 1;"
	"PRAGMA journal_mode = WAL";

static void add_content(void *context, const struct message *m)
{
	struct buffer *contents = context;

	buffer_add_text(contents, m->content);
	buffer_add_string(contents, " ");
}

static void an_old_database_keeps_its_messages_and_cursors(void **state)
{
	struct fixture *f = *state;
	struct buffer contents = {0};
	struct log_page page;

	execute_on(f->path, version_1);
	append(f->writer, 1);
	assert_true(store_read_log(f->writer, 0, 10, 10000, add_content,
	                           &contents, &page));
	assert_text(buffer_text(&contents), "one two three x ");
	buffer_release(&contents);
	/* It is unknown how far the log was acknowledged. */
	assert_int_equal(count_of(f->writer), 2);
	assert_int_equal(standing_of(f->writer, 0x5f3a9c01, 3), STANDING_GOOD);
	assert_int_equal(standing_of(f->writer, 0x5f3a9c01, 4), STANDING_PASSED);
	open_again(f);
	assert_int_equal(count_of(f->writer), 2);
}

#define WITH_LOG(title, function)                                              \
	TEST_WITH(title, function, set_up, tear_down, NULL)

int run_incarnations(void)
{
	const struct CMUnitTest tests[] = {
		TEST("a cursor is valid up to where the later incarnations "
	             "begin",
	             a_cursor_is_good_up_to_what_was_kept),
		TEST("any later incarnation counts, in whatever order they "
	             "began",
	             any_incarnation_behind_counts),
		TEST("an id alone is valid in any log",
	             an_id_alone_is_good_in_any_log),
		TEST("a copy of the list is independent", a_copy_is_its_own),
		TEST("a record survives the round trip",
	             a_record_comes_back_as_it_was),
		TEST("a torn record is ignored", a_torn_record_is_none),
		TEST("a record belongs to the log that has its incarnations",
	             a_record_is_in_a_log_that_has_it),
		TEST("a record is never lowered", a_record_is_never_lowered),
		WITH_LOG("a log that is reopened continues unchanged",
	                 a_start_begins_nothing),
		WITH_LOG("a restored backup begins an incarnation",
	                 a_restored_backup_is_noticed),
		WITH_LOG("a backup that is restored twice begins another "
	                 "incarnation",
	                 a_backup_restored_twice_is_noticed_twice),
		WITH_LOG("an original that is put back begins an incarnation, "
	                 "and keeps its cursors",
	                 an_original_put_back_is_noticed),
		WITH_LOG("a log without a record begins one incarnation, once, "
	                 "and keeps its cursors",
	                 a_log_without_a_record_begins_anew),
		WITH_LOG("an empty log without a record begins no incarnation",
	                 an_empty_log_begins_once),
		WITH_LOG("a record of another log is ignored",
	                 a_record_of_another_log_is_none),
		WITH_LOG("an empty backup is noticed", an_empty_backup_is_noticed),
		WITH_LOG("a backup put in place under a writer is noticed",
	                 a_backup_put_under_a_writer_is_noticed),
		WITH_LOG("a writer notices at once an incarnation that another "
	                 "began",
	                 what_another_begins_is_known_at_once),
		WITH_LOG("two writers share one record",
	                 two_writers_keep_one_record),
		WITH_LOG("a removed record is created again, for the group too",
	                 a_record_that_is_removed_is_made_again),
		WITH_LOG("a missing record loses no message",
	                 no_message_is_lost_for_want_of_a_record),
		WITH_LOG("the operator may begin an incarnation while nothing "
	                 "writes",
	                 the_operator_begins_one_where_nobody_writes),
		WITH_LOG("a writer is noticed even if its record was removed",
	                 a_writer_is_seen_when_its_record_has_gone),
		WITH_LOG("the operator cannot begin an incarnation without a "
	                 "log",
	                 none_begins_where_there_is_no_log),
		WITH_LOG("the oldest incarnations are forgotten beyond a limit",
	                 the_oldest_are_forgotten_in_the_end),
		WITH_LOG("a database of version 1 keeps its messages and "
	                 "cursors",
	                 an_old_database_keeps_its_messages_and_cursors),
	};

	return cmocka_run_group_tests_name("incarnations", tests, NULL, NULL);
}
