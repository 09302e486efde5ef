#include "store/sqlite/private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "os/folder.h"
#include "store/room_id.h"
#include "store/sqlite/place.h"

#define COLUMNS \
	"m.id, m.sender_id, m.sender_name, m.sender_type, m.content," \
	" m.client_id, m.sent_ms, m.type, m.data, m.reply_to"

static const char *const statements[STATEMENT_COUNT] = {
	[BEGIN_READ] = "BEGIN",
	[BEGIN_WRITE] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[MARK] = "SAVEPOINT message",
	[KEEP_SINCE_MARK] = "RELEASE message",
	[UNDO_SINCE_MARK] = "ROLLBACK TO message",
	[DATA_VERSION] = "PRAGMA data_version",
	[LOG_END] =
		"SELECT coalesce((SELECT seq FROM sqlite_sequence"
		" WHERE name = 'messages'), 0), changes, upheavals, tag"
		" FROM change_count, newest_incarnation",
	[INCARNATIONS] = "SELECT tag, began FROM incarnations ORDER BY number",
	[FIND_ROOM] = "SELECT room_id FROM rooms WHERE name = ?1 AND room_id < 0",
	[ADD_NUMBERED_ROOM] =
		"INSERT OR IGNORE INTO rooms (room_id, name) VALUES (?1, ?2)",
	[ADD_NAMED_ROOM] =
		"INSERT INTO rooms (room_id, name)"
		" VALUES (min(0, coalesce((SELECT min(room_id) FROM rooms"
		"  WHERE room_id > " ROOM_ID_FLOOR "), 0)) - 1, ?1)"
		" RETURNING room_id",
	/* Other programs may write chat_message as it is. */
	[FIND_REPEATED] = "SELECT id, content = ?4"
	                  " AND nullif(type, 'chat_message') IS ?5"
	                  " AND data IS ?6 AND reply_to IS ?7 FROM messages"
	                  " WHERE room_id = ?1 AND sender_id = ?2"
	                  " AND client_id = ?3 AND id > 0",
	[INSERT] = "INSERT INTO messages (room_id, sender_id, sender_name,"
	           " sender_type, content, client_id, sent_ms, type, data,"
	           " reply_to) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
	[ROOM_STATE] =
		"SELECT (SELECT min(id) FROM messages"
		" WHERE room_id = ?1 AND id > 0),"
		" (SELECT max(id) FROM holes WHERE room_id = ?1 AND id <= ?2)",
	[LAST_HOLE] = "SELECT max(id) FROM holes WHERE room_id = ?1 AND id <= ?2",
	[HIGHEST_HOLE] = "SELECT max(id) FROM holes WHERE id <= ?1",
	/* Whether it is the highest of its room. */
	[HOLES_AFTER] = "SELECT h.id, h.room_id, r.name, h.id ="
	                " (SELECT max(id) FROM holes"
	                "  WHERE room_id = h.room_id AND id <= ?2)"
	                " FROM holes AS h LEFT JOIN rooms AS r USING (room_id)"
	                " WHERE h.id > ?1 AND h.id <= ?2 ORDER BY h.id",
	[LOWEST_ID] = "SELECT min(id) FROM messages",
	[ROOMS_CHANGED] =
		"SELECT c.room_id, r.name, c.changed, c.edited > ?1"
		" FROM changed_rooms AS c LEFT JOIN rooms AS r USING (room_id)"
		" WHERE c.changed > ?1 ORDER BY c.changed LIMIT ?2",
	/* The beginning of the page is found by reading the index backwards. From
	 * there the page is read forwards, so nothing has to be sorted. */
	[PAGE_NEWEST] = "SELECT " COLUMNS " FROM messages AS m"
	                " WHERE m.room_id = ?1 AND m.id >= coalesce("
	                "(SELECT id FROM messages WHERE room_id = ?1 AND id > 0"
	                " ORDER BY id DESC LIMIT 1 OFFSET ?2 - 1), 1)"
	                " ORDER BY m.id",
	[PAGE_BEFORE] = "SELECT " COLUMNS " FROM messages AS m"
	                " WHERE m.room_id = ?1 AND m.id < ?3 AND m.id >= coalesce("
	                "(SELECT id FROM messages WHERE room_id = ?1 AND id > 0"
	                " AND id < ?3 ORDER BY id DESC LIMIT 1 OFFSET ?2 - 1), 1)"
	                " ORDER BY m.id",
	/* One more than the limit, to see whether there is more. */
	[PAGE_AFTER] = "SELECT " COLUMNS " FROM messages AS m"
	               " WHERE m.room_id = ?1 AND m.id > ?3"
	               " ORDER BY m.id LIMIT ?2 + 1",
	[CONTENTS_BACKWARDS] = "SELECT content, data FROM messages"
	                       " WHERE room_id = ?1 AND id < ?3 AND id > 0"
	                       " ORDER BY id DESC LIMIT ?2",
	[ROOM_IDS_AFTER] = "SELECT id FROM messages"
	                   " WHERE room_id = ?1 AND id > ?2 ORDER BY id",
	[ONE] = "SELECT " COLUMNS " FROM messages AS m"
	        " WHERE m.id = ?2 AND m.room_id = ?1",
	[LOG_AFTER] = "SELECT " COLUMNS ", m.room_id, r.name"
	              " FROM messages AS m LEFT JOIN rooms AS r USING (room_id)"
	              " WHERE m.id > ?1 ORDER BY m.id LIMIT ?2",
	[LOG_BACKWARDS] = "SELECT id, length(CAST(content AS BLOB))"
	                  " + coalesce(length(CAST(data AS BLOB)), 0)"
	                  " + length(sender_name) + length(sender_id)"
	                  " FROM messages WHERE id > 0 ORDER BY id DESC",
	[READ_MARK] = ("SELECT mark, (SELECT rootpage FROM sqlite_schema"
	               " WHERE name = 'life') FROM life"),
	[WRITE_MARK] = "UPDATE life SET mark = ?1",
};

static void end_connection(struct sqlite_store *s, bool leaves_wal)
{
	for (size_t i = 0; i < STATEMENT_COUNT; i++) {
		sqlite3_finalize(s->prepared[i]);
		s->prepared[i] = NULL;
	}
	sqlite_merge_release(&s->merge);
	if (s->db != NULL)
		sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE,
		                  leaves_wal, NULL);
	sqlite3_close(s->db);
	s->db = NULL;
	acknowledged_file_close(s->acknowledged);
	s->acknowledged = NULL;
	s->is_set_back = false;
}

void sqlite_disconnect(struct sqlite_store *s)
{
	end_connection(s, true);
}

void sqlite_close_in_order(struct sqlite_store *s)
{
	end_connection(s, s->db == NULL || !sqlite_is_in_place(s));
}

bool sqlite_fail(struct sqlite_store *s, const char *why)
{
	snprintf(s->error, sizeof s->error, "%s", why);
	return false;
}

/* SQLite's words need not be the system's: "unable to open database file". */
static bool fail_as_told(struct sqlite_store *s)
{
	int code = sqlite3_errcode(s->db) & 0xff;
	int why = code == SQLITE_CANTOPEN || code == SQLITE_IOERR
	                  ? sqlite3_system_errno(s->db)
	                  : 0;

	if (why == 0)
		return sqlite_fail(s, sqlite3_errmsg(s->db));
	snprintf(s->error, sizeof s->error, "%s: %s", sqlite3_errmsg(s->db),
	         strerror(why));
	return false;
}

static enum store_prospect find_refusal(struct sqlite_store *s)
{
	struct buffer why = {0};
	enum store_prospect prospect = sqlite_find_refusal(s, &why);

	if (prospect != STORE_USABLE)
		snprintf(s->error, sizeof s->error, "%.*s",
		         TEXT_ARGS(buffer_text(&why)));
	s->hopeless |= prospect == STORE_UNUSABLE;
	buffer_release(&why);
	return prospect;
}

bool sqlite_is_let_in(struct sqlite_store *s)
{
	return find_refusal(s) != STORE_UNUSABLE;
}

bool sqlite_note_error(struct sqlite_store *s)
{
	int code = sqlite3_errcode(s->db) & 0xff;

	fail_as_told(s);
	if (sqlite_is_damage(code))
		sqlite_place_damage(s->place, s->error);
	if (code != SQLITE_READONLY && code != SQLITE_CANTOPEN)
		return false;
	s->wants_all_anew = s->access == STORE_WRITE;
	find_refusal(s);
	return false;
}

bool sqlite_is_locked_out(const struct sqlite_store *s)
{
	return (sqlite3_errcode(s->db) & 0xff) == SQLITE_BUSY;
}

void sqlite_end_transaction(struct sqlite_store *s)
{
	for (size_t i = 0; i < STATEMENT_COUNT; i++)
		if (s->prepared[i] != NULL)
			sqlite3_reset(s->prepared[i]);
	sqlite_merge_reset(&s->merge);
	if (!sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}

bool sqlite_fail_by_database(struct sqlite_store *s)
{
	bool is_kept = sqlite_is_locked_out(s);

	sqlite_note_error(s);
	sqlite_end_transaction(s);
	if (!is_kept)
		sqlite_close_in_order(s);
	return false;
}

sqlite3_stmt *sqlite_prepare_at(struct sqlite_store *s, enum statement which,
                                sqlite3_stmt **prepared)
{
	if (*prepared == NULL &&
	    sqlite3_prepare_v3(s->db, statements[which], -1,
	                       SQLITE_PREPARE_PERSISTENT, prepared,
	                       NULL) != SQLITE_OK)
		return NULL;
	sqlite3_reset(*prepared);
	return *prepared;
}

sqlite3_stmt *sqlite_prepare(struct sqlite_store *s, enum statement which)
{
	return sqlite_prepare_at(s, which, &s->prepared[which]);
}

bool sqlite_run(struct sqlite_store *s, enum statement which)
{
	sqlite3_stmt *statement = sqlite_prepare(s, which);

	if (statement == NULL || sqlite3_step(statement) != SQLITE_DONE)
		return false;
	return sqlite3_reset(statement) == SQLITE_OK;
}

bool sqlite_query_number(struct sqlite_store *s, const char *sql, int64_t *number)
{
	sqlite3_stmt *statement = NULL;
	bool good = sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL) ==
	                    SQLITE_OK &&
	            sqlite3_step(statement) == SQLITE_ROW;

	if (good)
		*number = sqlite3_column_int64(statement, 0);
	return sqlite3_finalize(statement) == SQLITE_OK && good;
}

bool sqlite_execute(struct sqlite_store *s, const char *sql)
{
	return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* At startup the wait is long, and then the start fails. Later a sender waits only
 * as long as for any other lock, and only once: until the lock is released, nothing
 * waits for it again. */
bool sqlite_lock_folder(struct sqlite_store *s, int *lock)
{
	struct buffer error = {0};
	int64_t patience_ms = !s->was_open      ? FOLDER_PATIENCE_MS
	                      : s->folder_is_kept ? 0
	                                        : s->busy_timeout_ms;

	s->folder_is_kept = !folder_lock(s->path, patience_ms, lock, &error);
	if (!s->folder_is_kept)
		return true;
	buffer_add(&error, "", 1);
	sqlite_fail(s, error.data);
	s->hopeless = true;
	buffer_release(&error);
	return false;
}

/* Waits for other connections before the folder is locked, as that may take long. No
 * thread waits for the folder's lock while it uses its connection, so this thread
 * has the lock when it checks the others. */
static bool open_database(struct sqlite_store *s)
{
	int lock;

	if (s->wants_all_anew)
		sqlite_place_revoke(s);
	s->wants_all_anew = false;
	sqlite_place_drop_stale(s);
	if (!sqlite_lock_folder(s, &lock))
		return false;
	bool good = sqlite_open_database(s) &&
	            (s->access == STORE_READ || sqlite_recognise(s));
	folder_unlock(lock);
	return good;
}

static bool recognise_again(struct sqlite_store *s)
{
	int lock;

	if (!sqlite_lock_folder(s, &lock))
		return false;
	bool good = sqlite_recognise(s);
	folder_unlock(lock);
	return good;
}

/* Connections are made one after another. A writer then settles, which may wait for
 * another process's lock; meanwhile others may connect. */
static bool connect_anew(struct sqlite_store *s)
{
	bool good = true, is_fresh;

	sqlite_places_lock();
	s->is_taken = true;
	if (s->db != NULL && !sqlite_is_in_place(s))
		sqlite_let_go(s);
	is_fresh = s->db == NULL;
	if (is_fresh)
		good = open_database(s);
	else if (s->is_set_back)
		good = recognise_again(s);
	s->is_taken = false;
	pthread_mutex_lock(&s->use);
	sqlite_places_unlock();
	if (good && (is_fresh || s->is_set_back) && s->access == STORE_WRITE)
		good = sqlite_settle(s) && sqlite_begin_if_due(s);
	s->was_open = s->was_open || good;
	if (good)
		return true;
	sqlite_disconnect(s);
	pthread_mutex_unlock(&s->use);
	return false;
}

bool sqlite_enter(struct sqlite_store *s)
{
	pthread_mutex_lock(&s->use);
	if (!s->is_taken && s->db != NULL && !s->is_set_back &&
	    sqlite_is_in_place(s))
		return true;
	pthread_mutex_unlock(&s->use);
	return connect_anew(s);
}

bool sqlite_leave(struct sqlite_store *s, bool good)
{
	pthread_mutex_unlock(&s->use);
	return good;
}

bool sqlite_connect(void *connection)
{
	struct sqlite_store *s = connection;

	return sqlite_enter(s) && sqlite_leave(s, true);
}
