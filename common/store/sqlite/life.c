/* The mark that connects a database with its WAL (wal.h). The writer draws and
 * touches it; every connection checks it. */
#include <string.h>

#include "store/sqlite/place.h"
#include "store/sqlite/private.h"
#include "store/sqlite/side_files.h"

/* ---- Is it still the file that was opened? ---- */

bool sqlite_has_to_check(const struct sqlite_store *s)
{
	return atomic_load(&s->place->is_damaged) &&
	       (s->access == STORE_WRITE || atomic_load(&s->place->writers) == 0);
}

bool sqlite_files_differ(const struct sqlite_store *s, struct sqlite_seen *now)
{
	*now = (struct sqlite_seen){
		.database = file_look_at(s->paths.database),
		.wal = file_look_at(s->paths.wal),
		.shm = file_look_at(s->paths.shm),
	};
	return !file_is_same(&now->database, &s->seen.database) ||
	       !file_is_same(&now->wal, &s->seen.wal) ||
	       !file_is_same(&now->shm, &s->seen.shm);
}

/* Reads through SQLite's own descriptors, since closing a new one would drop
 * SQLite's locks. Returns SQLite's code. */
static int read_file(struct sqlite_store *s, int which, uint64_t at, void *bytes,
                     size_t size)
{
	sqlite3_file *file = NULL;

	if (sqlite3_file_control(s->db, NULL, which, &file) != SQLITE_OK ||
	    file == NULL || file->pMethods == NULL)
		return SQLITE_ERROR;
	return file->pMethods->xRead(file, bytes, (int)size, (sqlite3_int64)at);
}

static bool read_mark_at(struct sqlite_store *s, uint32_t page, uint32_t bytes,
                         struct mark *mark)
{
	uint8_t data[WAL_PAGE_MAX];

	return page > 0 &&
	       read_file(s, SQLITE_FCNTL_FILE_POINTER,
	                 (uint64_t)(page - 1) * bytes, data, bytes) ==
	               SQLITE_OK &&
	       mark_read_page(data, bytes, mark);
}

bool sqlite_read_mark(struct sqlite_store *s, struct mark *mark)
{
	sqlite3_stmt *row = sqlite_prepare(s, READ_MARK);

	if (row == NULL || sqlite3_step(row) != SQLITE_ROW)
		return false;
	struct text text = sqlite_column_text(row, 0);
	s->mark_page = (uint32_t)sqlite3_column_int64(row, 1);
	bool good = mark_read(text.data, text.size, mark);
	sqlite3_reset(row);
	return good;
}

/* Returns SQLite's code; SQLITE_CORRUPT if it is not sound. */
static int check_whole(struct sqlite_store *s)
{
	sqlite3_stmt *row = NULL;
	int code = sqlite3_prepare_v2(s->db, "PRAGMA integrity_check(1)", -1, &row,
	                              NULL);

	if (code == SQLITE_OK && sqlite3_step(row) == SQLITE_ROW &&
	    !text_is(sqlite_column_text(row, 0), "ok"))
		code = SQLITE_CORRUPT;
	int end = sqlite3_finalize(row);
	return code != SQLITE_OK ? code : end & 0xff;
}

/* Looks for the mark where it was, and then where the log has it now: VACUUM
 * moves it. */
static enum own_file find_marks(struct sqlite_store *s,
                                const struct database_head *head,
                                struct mark *file, struct mark *log)
{
	uint32_t old_page = s->mark_page;
	bool has_mark = read_mark_at(s, old_page, head->page_bytes, file);
	bool has_log = sqlite_read_mark(s, log);

	if (!has_log && (has_mark ||
	                 !sqlite_is_damage(sqlite3_errcode(s->db) & 0xff)))
		return FILE_IS_UNKNOWN;
	if (!has_mark && s->mark_page != old_page)
		has_mark = read_mark_at(s, s->mark_page, head->page_bytes, file);
	return has_mark && has_log ? FILE_IS_OWN : FILE_IS_FOREIGN;
}

/* A checkpoint leaves a mark of this log, and makes the file no shorter unless
 * VACUUM has. */
static enum own_file compare_file(struct sqlite_store *s,
                                  const struct database_head *head)
{
	struct mark file, log;
	enum own_file found = find_marks(s, head, &file, &log);
	bool is_shorter = file_look_at(s->paths.database).bytes <
	                  s->seen.database.bytes;
	int64_t version;

	if (found != FILE_IS_OWN)
		return found;
	if (!sqlite_read_data_version(s, &version))
		return FILE_IS_UNKNOWN;
	bool is_plain = life_equal(file.now, log.now) &&
	                head->cookie == file.cookie;
	enum side_files wal = is_plain ? SIDE_FILES_OURS
	                               : side_files_examine_open(
						 &s->paths, head, &file,
						 s->file_life);
	/* Another program has overwritten the log through SQLite, page by page, in a
	 * WAL that began with that. Only the writer that drew the file's mark knows
	 * that it is the newest: a reader may have checked last before the backup's
	 * mark was replaced by a new one. */
	if (wal == SIDE_FILES_FOREIGN && version != s->seen_version &&
	    s->wal.own.count > 0 && life_equal(file.now, s->wal.own))
		wal = SIDE_FILES_IN_DOUBT;
	/* If another program has committed and then emptied the WAL, SQLite's
	 * version has changed. If it has overwritten the file, the version has not
	 * changed. */
	if (wal == SIDE_FILES_FOREIGN ||
	    (wal == SIDE_FILES_NONE && version == s->seen_version))
		return FILE_IS_FOREIGN;
	if (is_shorter || wal != SIDE_FILES_OURS) {
		int code = check_whole(s);

		if (code != SQLITE_OK)
			return sqlite_is_damage(code) ? FILE_IS_FOREIGN
			                              : FILE_IS_UNKNOWN;
	}
	s->file_life = file.now;
	s->seen_version = version;
	return FILE_IS_OWN;
}

enum own_file sqlite_is_own_file(struct sqlite_store *s)
{
	uint8_t bytes[DATABASE_HEAD_BYTES];
	struct database_head head;
	int code = read_file(s, SQLITE_FCNTL_FILE_POINTER, 0, bytes, sizeof bytes);

	if (code != SQLITE_OK && code != SQLITE_IOERR_SHORT_READ)
		return FILE_IS_UNKNOWN;
	if (code != SQLITE_OK || !database_head_read(bytes, &head))
		return FILE_IS_FOREIGN;
	return compare_file(s, &head);
}

bool sqlite_is_in_place(struct sqlite_store *s)
{
	struct sqlite_seen now;

	if (sqlite_has_to_check(s) || sqlite_files_differ(s, &now))
		return false;
	if (file_is_untouched(&now.database, &s->seen.database))
		return true;
	if (sqlite_is_own_file(s) != FILE_IS_OWN)
		return false;
	s->seen.database = now.database;
	return true;
}

void sqlite_see_files(struct sqlite_store *s)
{
	uint8_t bytes[DATABASE_HEAD_BYTES];
	struct database_head head;
	struct mark mark;

	sqlite_files_differ(s, &s->seen);
	sqlite_read_data_version(s, &s->seen_version);
	s->file_life = (struct life){0, 0};
	if (read_file(s, SQLITE_FCNTL_FILE_POINTER, 0, bytes, sizeof bytes) ==
	            SQLITE_OK &&
	    database_head_read(bytes, &head) &&
	    read_mark_at(s, s->mark_page, head.page_bytes, &mark))
		s->file_life = mark.now;
}

/* ---- The writer's part ---- */

static void draw(struct sqlite_store *s, struct mark *mark)
{
	struct life *own = &s->wal.own;

	if (own->count == 0)
		sqlite3_randomness(sizeof own->origin, &own->origin);
	own->count++;
	*mark = (struct mark){.now = *own, .before = mark->now};
}

/* A checkpoint of another program's may have left a schema in the file that neither the
 * file's mark nor the WAL has. */
static void touch(struct sqlite_store *s, struct mark *mark)
{
	uint8_t bytes[DATABASE_HEAD_BYTES];
	struct database_head head;

	mark->turn++;
	mark->before = (struct life){0, 0};
	if (read_file(s, SQLITE_FCNTL_FILE_POINTER, 0, bytes, sizeof bytes) ==
	            SQLITE_OK &&
	    database_head_read(bytes, &head))
		mark->before.count = head.cookie;
}

/* Another writer may have drawn one since: as CGI there is one for each request.
 * Another program may have changed the schema. */
static bool make_next_mark(struct sqlite_store *s, struct mark *mark)
{
	int64_t cookie;

	if (!sqlite_read_mark(s, mark) ||
	    !sqlite_query_number(s, "PRAGMA schema_version", &cookie))
		return false;
	if (s->wal.draw_is_due)
		draw(s, mark);
	else
		touch(s, mark);
	mark->cookie = (uint32_t)cookie;
	return true;
}

bool sqlite_mark_if_due(struct sqlite_store *s)
{
	struct sqlite_wal *wal = &s->wal;
	char text[MARK_TEXT_BYTES + 1];
	struct mark next;

	wal->is_written = wal->draw_is_due || wal->touch_is_due;
	if (!wal->is_written)
		return true;
	if (!make_next_mark(s, &next))
		return false;
	mark_write(&next, text);
	sqlite3_stmt *statement = sqlite_prepare(s, WRITE_MARK);
	if (statement == NULL)
		return false;
	sqlite3_bind_text(statement, 1, text, MARK_TEXT_BYTES, SQLITE_STATIC);
	bool good = sqlite3_step(statement) == SQLITE_DONE;
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return good;
}

/* Another program may have had the WAL begin anew: then it lacks the mark. */
void sqlite_mark_committed(struct sqlite_store *s)
{
	struct sqlite_wal *wal = &s->wal;
	uint8_t salts[WAL_SALTS_BYTES] = {0};

	read_file(s, SQLITE_FCNTL_JOURNAL_POINTER, WAL_SALTS_AT, salts,
	          sizeof salts);
	wal->is_drawn = wal->is_written && wal->draw_is_due;
	if (wal->is_written) {
		wal->touch_is_due = wal->draw_is_due = false;
		memcpy(wal->salts, salts, sizeof salts);
	} else if (memcmp(wal->salts, salts, sizeof salts) != 0) {
		wal->touch_is_due = true;
	}
}

bool sqlite_commit_mark(struct sqlite_store *s)
{
	s->wal.touch_is_due = true;
	if (!sqlite_run(s, BEGIN_WRITE) || !sqlite_mark_if_due(s) ||
	    !sqlite_run(s, COMMIT))
		return false;
	sqlite_mark_committed(s);
	return true;
}
