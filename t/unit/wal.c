/* Tests of marks and WALs, as SQLite writes them. */
#include "unit.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "store/sqlite/wal.h"

/* ---- Marks ---- */

static const struct mark sample = {
	.now = {0xfedcba9876543210, 7},
	.before = {0x0123456789abcdef, 0xffffffff},
	.cookie = 12,
	.turn = 3,
};

static bool marks_equal(const struct mark *a, const struct mark *b)
{
	return life_equal(a->now, b->now) && life_equal(a->before, b->before) &&
	       a->cookie == b->cookie && a->turn == b->turn;
}

static void a_mark_is_read_as_written(void **state)
{
	char text[MARK_TEXT_BYTES + 1];
	struct mark read;

	(void)state;
	mark_write(&sample, text);
	assert_int_equal(strlen(text), MARK_TEXT_BYTES);
	assert_true(mark_read(text, MARK_TEXT_BYTES, &read));
	assert_true(marks_equal(&read, &sample));
}

static void another_text_is_no_mark(void **state)
{
	char text[MARK_TEXT_BYTES + 1];
	struct mark read;

	(void)state;
	for (size_t i = 0; i < MARK_TEXT_BYTES; i++) {
		mark_write(&sample, text);
		text[i] = 'x';
		expect(!mark_read(text, MARK_TEXT_BYTES, &read), "byte %zu", i);
	}
	mark_write(&sample, text);
	assert_false(mark_read(text, MARK_TEXT_BYTES - 1, &read));
	assert_false(mark_read(NULL, 0, &read));
}

/* ---- A database made by SQLite ---- */

struct made {
	char *folder, *path;
	sqlite3 *db;
};

static void run_sql(struct made *made, const char *sql)
{
	expect(sqlite3_exec(made->db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s",
	       sql, sqlite3_errmsg(made->db));
}

static void write_mark(struct made *made, const struct mark *mark)
{
	char text[MARK_TEXT_BYTES + 1], sql[200];

	mark_write(mark, text);
	snprintf(sql, sizeof sql, "UPDATE life SET mark = '%s'", text);
	run_sql(made, sql);
}

static int set_up(void **state)
{
	struct made *made = memory_get(sizeof *made);

	made->folder = folder_make();
	made->path = path_in(made->folder, "some.db");
	sqlite3_open(made->path, &made->db);
	sqlite3_db_config(made->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	run_sql(made, "PRAGMA page_size = 1024; PRAGMA application_id = 0x4c6e6772;"
	              "CREATE TABLE life (mark TEXT NOT NULL);"
	              "CREATE TABLE other (text); INSERT INTO life VALUES ('');");
	write_mark(made, &sample);
	run_sql(made, "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0");
	*state = made;
	return 0;
}

static int tear_down(void **state)
{
	struct made *made = *state;

	sqlite3_close(made->db);
	free(made->path);
	folder_remove(made->folder);
	free(made);
	return 0;
}

static void read_whole(const struct made *made, const char *name,
                       struct buffer *bytes)
{
	char *path = path_in(made->folder, name);

	file_read(path, bytes);
	free(path);
}

/* The mark, from the only page that has one. */
static void a_page_of_sqlite_has_the_mark(void **state)
{
	struct made *made = *state;
	struct buffer bytes = {0};
	struct database_head head;
	struct mark mark;
	size_t found = 0;

	read_whole(made, "some.db", &bytes);
	const uint8_t *data = (const uint8_t *)bytes.data;
	assert_true(database_head_read(data, &head));
	assert_int_equal(head.page_bytes, 1024);
	assert_int_equal(head.application, 0x4c6e6772);
	for (size_t at = 0; at < bytes.size; at += 1024)
		if (mark_read_page(data + at, 1024, &mark)) {
			assert_true(marks_equal(&mark, &sample));
			found++;
		}
	assert_int_equal(found, 1);
	buffer_release(&bytes);
}

/* What a scan finds. */
struct found {
	size_t frames, commits, marks;
	struct mark last;
};

static struct found walk_over(const struct buffer *wal)
{
	const uint8_t *data = (const uint8_t *)wal->data;
	struct found found = {0};
	struct wal_walk walk;

	if (wal->size < WAL_HEADER_BYTES || !wal_walk_begin(&walk, data))
		return found;
	size_t size = WAL_FRAME_BYTES + walk.page_bytes;
	for (size_t at = WAL_HEADER_BYTES; at + size <= wal->size; at += size) {
		enum wal_frame kind = wal_walk_frame(&walk, data + at);

		if (kind == WAL_FRAME_END)
			break;
		found.frames++;
		if (kind != WAL_FRAME_COMMIT)
			continue;
		found.commits++;
		found.marks += walk.has_latest;
		found.last = walk.latest;
		walk.has_latest = false;
	}
	return found;
}

/* Three commits; the second has a mark, and the third two pages. */
static void fill(struct made *made, struct buffer *wal)
{
	struct mark next = sample;

	next.now.count++;
	run_sql(made, "INSERT INTO other VALUES ('a')");
	write_mark(made, &next);
	run_sql(made, "INSERT INTO other VALUES (hex(zeroblob(1000)))");
	read_whole(made, "some.db-wal", wal);
}

static void a_walk_finds_what_sqlite_has_committed(void **state)
{
	struct made *made = *state;
	struct buffer wal = {0};

	fill(made, &wal);
	struct found found = walk_over(&wal);
	assert_int_equal(found.frames,
	                 (wal.size - WAL_HEADER_BYTES) / (WAL_FRAME_BYTES + 1024));
	assert_int_equal(found.commits, 3);
	assert_int_equal(found.marks, 1);
	assert_int_equal(found.last.now.count, sample.now.count + 1);
	buffer_release(&wal);
}

/* As in SQLite: the scan ends before the frame that is incomplete. */
static void a_walk_ends_where_the_wal_is_torn(void **state)
{
	struct made *made = *state;
	struct buffer wal = {0};
	size_t frame = WAL_FRAME_BYTES + 1024;

	fill(made, &wal);
	for (size_t at = 0; at < wal.size; at += 7) {
		/* Eight bytes of a frame's header are not in the checksum: the
		 * salts, which are compared. */
		size_t whole = at < WAL_HEADER_BYTES
		                       ? 0
		                       : (at - WAL_HEADER_BYTES) / frame;

		wal.data[at] = (char)(wal.data[at] ^ 0x40);
		struct found found = walk_over(&wal);
		expect(found.frames == whole, "byte %zu: %zu frames", at,
		       found.frames);
		wal.data[at] = (char)(wal.data[at] ^ 0x40);
	}
	buffer_release(&wal);
}

static void a_walk_ends_with_the_frames_of_an_earlier_wal(void **state)
{
	struct made *made = *state;
	struct buffer wal = {0};

	fill(made, &wal);
	run_sql(made, "PRAGMA wal_checkpoint(RESTART);"
	              "INSERT INTO other VALUES ('b')");
	size_t before = wal.size;
	buffer_clear(&wal);
	read_whole(made, "some.db-wal", &wal);
	assert_int_equal(wal.size, before);
	assert_int_equal(walk_over(&wal).commits, 1);
	buffer_release(&wal);
}

static void what_is_no_database_has_no_head(void **state)
{
	uint8_t head[DATABASE_HEAD_BYTES] = "SQLite format 3";
	struct database_head found;

	(void)state;
	assert_false(database_head_read(head, &found));
	head[16] = 0x10;
	assert_true(database_head_read(head, &found));
	head[17] = 1;
	assert_false(database_head_read(head, &found));
	head[0] = 's';
	assert_false(database_head_read(head, &found));
}

/* ---- Journals ---- */

static void only_the_journal_of_a_mode_change_is_ours(void **state)
{
	struct made *made = *state;
	struct buffer database = {0};
	uint8_t journal[512 + 4 + 1024 + 4] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1,
	                                       0x63, 0xd7};
	size_t size = sizeof journal;

	read_whole(made, "some.db", &database);
	if (database.data == NULL || database.size < 1024) {
		fail();
		return;
	}
	const uint8_t *page = (const uint8_t *)database.data;
	journal[19] = 3;   /* pages */
	journal[22] = 2;   /* a sector of 512 bytes */
	journal[26] = 4;   /* a page of 1024 */
	journal[515] = 1;  /* page 1 */
	memcpy(journal + 516, page, 1024);
	assert_true(journal_is_hot(journal, size));
	assert_true(journal_is_of_mode_change(journal, size, size, page, 1024,
	                                      database.size));
	journal[516 + 18] ^= 3; /* the mode */
	assert_true(journal_is_of_mode_change(journal, size, size, page, 1024,
	                                      database.size));
	journal[516 + 200] ^= 1;
	assert_false(journal_is_of_mode_change(journal, size, size, page, 1024,
	                                       database.size));
	/* It would truncate the database to nothing. */
	journal[19] = 0;
	assert_false(journal_is_of_mode_change(journal, size, size, page, 1024,
	                                       database.size));
	journal[0] = 0;
	assert_false(journal_is_hot(journal, size));
	buffer_release(&database);
}

#define WITH_DATABASE(title, function)                                         \
	TEST_WITH(title, function, set_up, tear_down, NULL)

int run_wal(void)
{
	const struct CMUnitTest tests[] = {
		TEST("a mark is read as it was written", a_mark_is_read_as_written),
		TEST("other text is not a mark", another_text_is_no_mark),
		WITH_DATABASE("a page written by SQLite has the mark, and no "
	                      "other page has it",
	                      a_page_of_sqlite_has_the_mark),
		WITH_DATABASE("a scan of a WAL finds SQLite's commits, and "
	                      "their marks",
		              a_walk_finds_what_sqlite_has_committed),
		WITH_DATABASE("a scan ends before a torn frame",
		              a_walk_ends_where_the_wal_is_torn),
		WITH_DATABASE("a scan ends before the frames of an earlier WAL",
		              a_walk_ends_with_the_frames_of_an_earlier_wal),
		TEST("a file that is not a database has no header",
		     what_is_no_database_has_no_head),
		WITH_DATABASE("only the journal of a mode change may be the "
		              "database's own",
		              only_the_journal_of_a_mode_change_is_ours),
	};

	return cmocka_run_group_tests_name("WAL", tests, NULL, NULL);
}
