#include "sqlite_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "folder.h"
#include "journal.h"

#define COLUMNS \
	"m.id, m.sender_id, m.sender_name, m.sender_type, m.content," \
	" m.client_id, m.sent_ms"

static const char *const statements[STATEMENT_COUNT] = {
	[BEGIN_READ] = "BEGIN",
	[BEGIN_WRITE] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	[MARK] = "SAVEPOINT message",
	[KEEP_SINCE_MARK] = "RELEASE message",
	[UNDO_SINCE_MARK] = "ROLLBACK TO message",
	[DATA_VERSION] = "PRAGMA data_version",
	[LOG_END] =
		"SELECT coalesce((SELECT seq FROM sqlite_sequence"
		" WHERE name = 'messages'), 0), changes, upheavals, newest_tag"
		" FROM log, change_count",
	[INCARNATIONS] = "SELECT tag, began FROM incarnations ORDER BY number",
	/* Other ids are those of numbered rooms, whatever name they are given. */
	[FIND_ROOM] = "SELECT room_id FROM rooms WHERE name = ?1 AND room_id < 0",
	[ADD_NUMBERED_ROOM] =
		"INSERT OR IGNORE INTO rooms (room_id, name) VALUES (?1, ?2)",
	[ADD_NAMED_ROOM] =
		/* Nobody counts from what somebody else has put at the lower end. */
		"INSERT INTO rooms (room_id, name)"
		" VALUES (min(0, coalesce((SELECT min(room_id) FROM rooms"
		"  WHERE room_id > -4611686018427387904), 0)) - 1, ?1)"
		" RETURNING room_id",
	[FIND_REPEATED] = "SELECT id, content = ?4 FROM messages"
	                  " WHERE room_id = ?1 AND sender_id = ?2"
	                  " AND client_id = ?3 AND id > 0",
	[INSERT] = "INSERT INTO messages (room_id, sender_id, sender_name,"
	           " sender_type, content, client_id, sent_ms)"
	           " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[ROOM_STATE] =
		"SELECT (SELECT min(id) FROM messages"
		" WHERE room_id = ?1 AND id > 0),"
		" (SELECT max(id) FROM holes WHERE room_id = ?1 AND id <= ?2)",
	[LAST_HOLE] = "SELECT max(id) FROM holes WHERE room_id = ?1 AND id <= ?2",
	[LOWEST_ID] = "SELECT min(id) FROM messages",
	[ROOMS_CHANGED] =
		"SELECT c.room_id, r.name, c.changed, c.edited > ?1"
		" FROM changed_rooms AS c LEFT JOIN rooms AS r USING (room_id)"
		" WHERE c.changed > ?1 ORDER BY c.changed LIMIT ?2",
	/* Where the page begins is found backwards in the index alone; from there
	 * it is read forwards, so that nothing has to be sorted. */
	[PAGE_NEWEST] = "SELECT " COLUMNS " FROM messages AS m"
	                " WHERE m.room_id = ?1 AND m.id >="
	                " (SELECT max(1, min(id)) FROM"
	                " (SELECT id FROM messages WHERE room_id = ?1"
	                " ORDER BY id DESC LIMIT ?2)) ORDER BY m.id",
	[PAGE_BEFORE] = "SELECT " COLUMNS " FROM messages AS m"
	                " WHERE m.room_id = ?1 AND m.id < ?3 AND m.id >="
	                " (SELECT max(1, min(id)) FROM (SELECT id FROM messages"
	                " WHERE room_id = ?1 AND id < ?3"
	                " ORDER BY id DESC LIMIT ?2)) ORDER BY m.id",
	/* One more than the limit, to see whether there is more. */
	[PAGE_AFTER] = "SELECT " COLUMNS " FROM messages AS m"
	               " WHERE m.room_id = ?1 AND m.id > ?3"
	               " ORDER BY m.id LIMIT ?2 + 1",
	/* What is passed over has no size; json_quote() takes no BLOB. */
	[SIZES_BEFORE] = "SELECT CASE WHEN length(CAST(content AS BLOB)) > 4194304"
	                 " THEN 0 ELSE length(CAST("
	                 "json_quote(CAST(content AS TEXT)) AS BLOB)) END"
	                 " FROM messages WHERE room_id = ?1 AND id < ?3 AND id > 0"
	                 " ORDER BY id DESC LIMIT ?2",
	[ONE] = "SELECT " COLUMNS " FROM messages AS m"
	        " WHERE m.id = ?2 AND m.room_id = ?1",
	[LOG_AFTER] = "SELECT " COLUMNS ", m.room_id, r.name"
	              " FROM messages AS m LEFT JOIN rooms AS r USING (room_id)"
	              " WHERE m.id > ?1 ORDER BY m.id LIMIT ?2",
	[LOG_BACKWARDS] = "SELECT id, length(CAST(content AS BLOB))"
	                  " + length(sender_name) + length(sender_id)"
	                  " FROM messages WHERE id > 0 ORDER BY id DESC",
};

void sqlite_disconnect(struct sqlite_store *s)
{
	for (size_t i = 0; i < STATEMENT_COUNT; i++) {
		sqlite3_finalize(s->prepared[i]);
		s->prepared[i] = NULL;
	}
	sqlite3_close(s->db);
	s->db = NULL;
	acknowledged_file_close(s->acknowledged);
	s->acknowledged = NULL;
}

bool sqlite_fail(struct sqlite_store *s, const char *why)
{
	snprintf(s->error, sizeof s->error, "%s", why);
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
	if (!sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}

bool sqlite_fail_by_database(struct sqlite_store *s)
{
	bool is_kept = sqlite_is_locked_out(s);

	sqlite_fail(s, sqlite3_errmsg(s->db));
	sqlite_end_transaction(s);
	if (!is_kept)
		sqlite_disconnect(s);
	return false;
}

sqlite3_stmt *sqlite_prepare(struct sqlite_store *s, enum statement which)
{
	sqlite3_stmt **prepared = &s->prepared[which];

	if (*prepared == NULL &&
	    sqlite3_prepare_v3(s->db, statements[which], -1,
	                       SQLITE_PREPARE_PERSISTENT, prepared,
	                       NULL) != SQLITE_OK)
		return NULL;
	sqlite3_reset(*prepared);
	return *prepared;
}

bool sqlite_run(struct sqlite_store *s, enum statement which)
{
	sqlite3_stmt *statement = sqlite_prepare(s, which);

	if (statement == NULL || sqlite3_step(statement) != SQLITE_DONE)
		return false;
	return sqlite3_reset(statement) == SQLITE_OK;
}

void sqlite_bind_text(sqlite3_stmt *statement, int at, struct text text)
{
	if (text.data == NULL)
		sqlite3_bind_null(statement, at);
	else
		sqlite3_bind_text(statement, at, text.data, (int)text.size,
		                  SQLITE_STATIC);
}

struct text sqlite_column_text(sqlite3_stmt *statement, int column)
{
	struct text text;

	text.data = (const char *)sqlite3_column_text(statement, column);
	text.size = (size_t)sqlite3_column_bytes(statement, column);
	return text;
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

/* What a process that died, or a sync that failed, has left in the WAL can be
 * read, but is perhaps not on disk, and no later sync of the WAL need bring it
 * there; yet whatever is appended to the WAL would stand on it, and a repeated
 * client_id be answered from it. So all of it goes into the database, and the
 * WAL begins anew. Who has a lock meanwhile had the database open before, and
 * what is read through the WAL that it has open was synced.
 *
 * SQLite does not look whether the folder's sync succeeds. */
static bool settle(struct sqlite_store *s)
{
	int code = sqlite3_wal_checkpoint_v2(s->db, NULL,
	                                     SQLITE_CHECKPOINT_RESTART, NULL,
	                                     NULL);

	if (code != SQLITE_OK && !sqlite_is_locked_out(s))
		return sqlite_fail(s, sqlite3_errmsg(s->db));
	return folder_sync(s->path) || sqlite_fail(s, strerror(errno));
}

static bool set_up_connection(struct sqlite_store *s)
{
	int64_t identity;

	sqlite3_extended_result_codes(s->db, 1);
	sqlite3_busy_timeout(s->db, s->busy_timeout_ms);
	if (!sqlite_set_up_schema(s))
		return false;
	if (!sqlite_query_number(s, "SELECT identity FROM log", &identity))
		return sqlite_fail(s, sqlite3_errmsg(s->db));
	s->first = (uint32_t)identity;
	incarnations_clear(&s->incarnations);
	s->data_version = -1;
	return s->access == STORE_READ || settle(s);
}

/* To open a fifo would wait for somebody at its other end. */
static bool is_special(const struct sqlite_store *s)
{
	struct stat status;

	return stat(s->path, &status) == 0 && !S_ISREG(status.st_mode);
}

static bool is_missing(const struct sqlite_store *s)
{
	struct stat status;

	return stat(s->path, &status) != 0 && errno == ENOENT;
}

/* Side files without their database belong to one that was removed. A new
 * database must not find them: as long as somebody still has the old -shm open,
 * SQLite would take it for its own. */
static void remove_side_files(const struct sqlite_store *s)
{
	static const char *const suffixes[] = {"-wal", "-shm", "-journal"};

	for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
		struct buffer name = {0};

		buffer_printf(&name, "%s%s", s->path, suffixes[i]);
		buffer_add(&name, "", 1);
		unlink(name.data);
		buffer_release(&name);
	}
}

bool sqlite_open_database(struct sqlite_store *s)
{
	int flags = SQLITE_OPEN_NOMUTEX |
	            (s->access == STORE_READ
	                     ? SQLITE_OPEN_READONLY
	                     : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);

	s->hopeless = false;
	if (is_special(s)) {
		s->hopeless = true;
		return sqlite_fail(s, "it is no regular file");
	}
	if (sqlite3_open_v2(s->path, &s->db, flags, NULL) != SQLITE_OK) {
		sqlite_fail(s, sqlite3_errmsg(s->db));
		s->hopeless = is_missing(s);
		sqlite_disconnect(s);
		return false;
	}
	if (!set_up_connection(s)) {
		sqlite_disconnect(s);
		return false;
	}
	return true;
}

/* SQLite would keep the group from writing. The side files get the same mode. If
 * it can't be made, SQLite will say why. */
static void create_file(const struct sqlite_store *s)
{
	int fd = open(s->path, O_RDWR | O_CREAT | O_CLOEXEC, 0660);

	if (fd >= 0)
		close(fd);
}

/* A start is patient and then fails. Later whoever sends waits no longer than for
 * any other lock, and once: until it is gone nobody waits for it again. */
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

/* Makes a new database; alone, for another writer may be about to do the same,
 * and the side files would then be those of its. */
static bool create_database(struct sqlite_store *s)
{
	int lock;

	if (!sqlite_lock_folder(s, &lock))
		return false;
	if (is_missing(s)) {
		remove_side_files(s);
		create_file(s);
	}
	bool good = sqlite_open_database(s);
	folder_unlock(lock);
	return good;
}

static bool has_moved(struct sqlite_store *s)
{
	int moved = 0;

	return sqlite3_file_control(s->db, NULL, SQLITE_FCNTL_HAS_MOVED,
	                            &moved) != SQLITE_OK ||
	       moved;
}

bool sqlite_connect(void *connection)
{
	struct sqlite_store *s = connection;

	if (s->db != NULL && has_moved(s)) {
		if (s->access == STORE_WRITE)
			journal_warning("database removed or replaced: %s", s->path);
		sqlite_disconnect(s);
	}
	if (s->db != NULL)
		return true;
	bool good = s->access == STORE_WRITE && is_missing(s)
	                    ? create_database(s)
	                    : sqlite_open_database(s);
	good = good && (s->access == STORE_READ || sqlite_recognise(s));
	s->was_open = s->was_open || good;
	return good;
}
