/* The log in an SQLite database: the only file that knows SQLite.
 *
 * WAL with synchronous=FULL: a commit is on disk when it returns, and readers
 * never wait for the writer. AUTOINCREMENT: ids ascend with commits (there is
 * one writer at a time) and none comes twice, even after a DELETE.
 *
 * A database that is removed or replaced while it is open would go on being
 * written to, unseen; so every use asks SQLite whether the file has moved
 * (one stat) and then opens anew. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "folder.h"
#include "journal.h"
#include "memory.h"
#include "store_backend.h"

enum {
	APPLICATION_ID = 0x4c6e6772, /* "Lngr", for file(1) */
	SCHEMA_VERSION = 1,
	ENTRY_BYTES = 128, /* what a message counts beside its texts */
};

/* migrations[n] takes a database of version n (PRAGMA user_version) to n + 1,
 * in one transaction. A published row is never changed; a new version gets a
 * new row. */
static const char *const migrations[SCHEMA_VERSION] = {
	"CREATE TABLE log ("
	"  identity INTEGER NOT NULL,"
	"  removals INTEGER NOT NULL DEFAULT 0"
	");"
	/* A numbered room's id is its number; other rooms count down from -1.
	 * pruned_id is the highest id that was ever removed from the room. */
	"CREATE TABLE rooms ("
	"  room_id INTEGER PRIMARY KEY,"
	"  name TEXT NOT NULL UNIQUE,"
	"  pruned_id INTEGER NOT NULL DEFAULT 0"
	");"
	"CREATE TABLE messages ("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  room_id INTEGER NOT NULL,"
	"  sender_id TEXT NOT NULL,"
	"  sender_name TEXT NOT NULL,"
	"  sender_type TEXT NOT NULL DEFAULT 'user',"
	"  content TEXT NOT NULL,"
	"  client_id TEXT,"
	"  sent_ms INTEGER NOT NULL" /* since 1970, UTC */
	");"
	/* The rowid, that is the id, is part of every index. */
	"CREATE INDEX messages_by_room ON messages (room_id);"
	"CREATE UNIQUE INDEX messages_by_client_id"
	"  ON messages (room_id, sender_id, client_id)"
	"  WHERE client_id IS NOT NULL;"
	/* Whoever removes messages, be it with another program, leaves a mark, so
	 * that pollers learn of the gap. */
	"CREATE TRIGGER messages_removed AFTER DELETE ON messages BEGIN"
	"  INSERT OR IGNORE INTO rooms (room_id, name)"
	"    VALUES (old.room_id, 'room_' || old.room_id);"
	"  UPDATE rooms SET pruned_id = max(pruned_id, old.id)"
	"    WHERE room_id = old.room_id;"
	"  UPDATE log SET removals = removals + 1;"
	"END;"
	"INSERT INTO log (identity) VALUES (abs(random() % 4294967296));",
};

enum statement {
	BEGIN_READ,
	BEGIN_WRITE,
	COMMIT,
	ROLLBACK,
	DATA_VERSION,
	LOG_END,
	FIND_ROOM,
	ADD_NUMBERED_ROOM,
	ADD_NAMED_ROOM,
	FIND_REPEATED,
	INSERT,
	ROOM_STATE,
	PAGE_NEWEST,
	PAGE_BEFORE,
	PAGE_AFTER,
	SIZES_BEFORE,
	ONE,
	LOG_AFTER,
	LOG_BACKWARDS,
	STATEMENT_COUNT
};

#define COLUMNS \
	"m.id, m.sender_id, m.sender_name, m.sender_type, m.content," \
	" m.client_id, m.sent_ms"

static const char *const statements[STATEMENT_COUNT] = {
	[BEGIN_READ] = "BEGIN",
	[BEGIN_WRITE] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	[DATA_VERSION] = "PRAGMA data_version",
	[LOG_END] =
		"SELECT coalesce((SELECT seq FROM sqlite_sequence"
		" WHERE name = 'messages'), 0), removals FROM log",
	[FIND_ROOM] = "SELECT room_id FROM rooms WHERE name = ?1",
	[ADD_NUMBERED_ROOM] =
		"INSERT OR IGNORE INTO rooms (room_id, name) VALUES (?1, ?2)",
	[ADD_NAMED_ROOM] =
		"INSERT INTO rooms (room_id, name)"
		" VALUES (min(0, coalesce((SELECT min(room_id) FROM rooms), 0))"
		" - 1, ?1)"
		" RETURNING room_id",
	[FIND_REPEATED] = "SELECT id, content = ?4 FROM messages"
	                  " WHERE room_id = ?1 AND sender_id = ?2"
	                  " AND client_id = ?3",
	[INSERT] = "INSERT INTO messages (room_id, sender_id, sender_name,"
	           " sender_type, content, client_id, sent_ms)"
	           " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[ROOM_STATE] =
		"SELECT (SELECT min(id) FROM messages WHERE room_id = ?1),"
		" (SELECT pruned_id FROM rooms WHERE room_id = ?1)",
	/* Where the page begins is found backwards in the index alone; from there
	 * it is read forwards, so that nothing has to be sorted. */
	[PAGE_NEWEST] = "SELECT " COLUMNS " FROM messages AS m"
	                " WHERE m.room_id = ?1 AND m.id >= (SELECT min(id) FROM"
	                " (SELECT id FROM messages WHERE room_id = ?1"
	                " ORDER BY id DESC LIMIT ?2)) ORDER BY m.id",
	[PAGE_BEFORE] = "SELECT " COLUMNS " FROM messages AS m"
	                " WHERE m.room_id = ?1 AND m.id < ?3 AND m.id >="
	                " (SELECT min(id) FROM (SELECT id FROM messages"
	                " WHERE room_id = ?1 AND id < ?3"
	                " ORDER BY id DESC LIMIT ?2)) ORDER BY m.id",
	/* One more than the limit, to see whether there is more. */
	[PAGE_AFTER] = "SELECT " COLUMNS " FROM messages AS m"
	               " WHERE m.room_id = ?1 AND m.id > ?3"
	               " ORDER BY m.id LIMIT ?2 + 1",
	[SIZES_BEFORE] = "SELECT length(CAST(json_quote(content) AS BLOB))"
	                 " FROM messages WHERE room_id = ?1 AND id < ?3"
	                 " ORDER BY id DESC LIMIT ?2",
	[ONE] = "SELECT " COLUMNS " FROM messages AS m"
	        " WHERE m.id = ?2 AND m.room_id = ?1",
	[LOG_AFTER] = "SELECT " COLUMNS ", m.room_id, r.name"
	              " FROM messages AS m LEFT JOIN rooms AS r USING (room_id)"
	              " WHERE m.id > ?1 ORDER BY m.id LIMIT ?2",
	[LOG_BACKWARDS] = "SELECT id, length(CAST(content AS BLOB))"
	                  " + length(sender_name) + length(sender_id)"
	                  " FROM messages ORDER BY id DESC",
};

enum { COLUMN_ROOM_ID = 7, COLUMN_ROOM_NAME = 8 };

struct sqlite_store {
	char *path;
	enum store_access access;
	int busy_timeout_ms;
	sqlite3 *db; /* NULL: not connected */
	sqlite3_stmt *prepared[STATEMENT_COUNT];
	uint32_t log;
	/* A lock has outlasted busy_timeout: until it is gone nobody waits for it
	 * again, lest all who come stand in line. */
	bool is_locked;
	/* What the last look at the log's end found, and the version it saw. */
	int64_t data_version;
	struct log_end end;
	bool hopeless; /* the last failure is */
	char error[256];
};

static void disconnect(struct sqlite_store *s)
{
	for (size_t i = 0; i < STATEMENT_COUNT; i++) {
		sqlite3_finalize(s->prepared[i]);
		s->prepared[i] = NULL;
	}
	sqlite3_close(s->db);
	s->db = NULL;
}

static bool fail(struct sqlite_store *s, const char *why)
{
	snprintf(s->error, sizeof s->error, "%s", why);
	return false;
}

/* A lock passes by itself. */
static bool is_locked_out(const struct sqlite_store *s)
{
	return (sqlite3_errcode(s->db) & 0xff) == SQLITE_BUSY;
}

static void end_transaction(struct sqlite_store *s)
{
	for (size_t i = 0; i < STATEMENT_COUNT; i++)
		if (s->prepared[i] != NULL)
			sqlite3_reset(s->prepared[i]);
	if (!sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}

/* Keeps SQLite's reason, and gives up a connection that a new one may better:
 * one that is locked out is none of those. */
static bool fail_by_database(struct sqlite_store *s)
{
	bool is_kept = is_locked_out(s);

	fail(s, sqlite3_errmsg(s->db));
	end_transaction(s);
	if (!is_kept)
		disconnect(s);
	return false;
}

static sqlite3_stmt *prepare(struct sqlite_store *s, enum statement which)
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

/* Runs a statement that gives no rows. */
static bool run(struct sqlite_store *s, enum statement which)
{
	sqlite3_stmt *statement = prepare(s, which);

	if (statement == NULL || sqlite3_step(statement) != SQLITE_DONE)
		return false;
	return sqlite3_reset(statement) == SQLITE_OK;
}

static void bind_text(sqlite3_stmt *statement, int at, struct text text)
{
	if (text.data == NULL)
		sqlite3_bind_null(statement, at);
	else
		sqlite3_bind_text(statement, at, text.data, (int)text.size,
		                  SQLITE_STATIC);
}

static struct text column_text(sqlite3_stmt *statement, int column)
{
	struct text text;

	text.data = (const char *)sqlite3_column_text(statement, column);
	text.size = (size_t)sqlite3_column_bytes(statement, column);
	return text;
}

static bool read_data_version(struct sqlite_store *s, int64_t *version)
{
	sqlite3_stmt *statement = prepare(s, DATA_VERSION);

	if (statement == NULL || sqlite3_step(statement) != SQLITE_ROW)
		return false;
	*version = sqlite3_column_int64(statement, 0);
	return sqlite3_reset(statement) == SQLITE_OK;
}

static bool query_number(struct sqlite_store *s, const char *sql, int64_t *number)
{
	sqlite3_stmt *statement = NULL;
	bool good = sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL) ==
	                    SQLITE_OK &&
	            sqlite3_step(statement) == SQLITE_ROW;

	if (good)
		*number = sqlite3_column_int64(statement, 0);
	return sqlite3_finalize(statement) == SQLITE_OK && good;
}

static bool execute(struct sqlite_store *s, const char *sql)
{
	return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* Says through s->error what can't be mended by trying again. */
static bool read_schema_version(struct sqlite_store *s, int64_t *version)
{
	int64_t application, tables;

	if (!query_number(s, "PRAGMA user_version", version) ||
	    !query_number(s, "PRAGMA application_id", &application) ||
	    !query_number(s, "SELECT count(*) FROM sqlite_schema", &tables))
		return fail(s, sqlite3_errmsg(s->db));
	s->hopeless = true;
	if (application != APPLICATION_ID && (application != 0 || tables > 0))
		return fail(s, "the file is not a Longroom database");
	if (*version > SCHEMA_VERSION)
		return fail(s, "the database is from a newer version");
	s->hopeless = false;
	return true;
}

static bool write_version(struct sqlite_store *s)
{
	char pragmas[80];

	snprintf(pragmas, sizeof pragmas,
	         "PRAGMA application_id = %d; PRAGMA user_version = %d",
	         APPLICATION_ID, SCHEMA_VERSION);
	return execute(s, pragmas);
}

static bool migrate_from(struct sqlite_store *s, int64_t version)
{
	for (; version < SCHEMA_VERSION; version++)
		if (!execute(s, migrations[version]))
			return false;
	return write_version(s);
}

/* Looked at again within the transaction: two programs may start at once. */
static bool migrate(struct sqlite_store *s)
{
	int64_t version;

	if (!execute(s, "BEGIN IMMEDIATE"))
		return fail(s, sqlite3_errmsg(s->db));
	if (!read_schema_version(s, &version)) {
		execute(s, "ROLLBACK");
		return false;
	}
	if (!migrate_from(s, version) || !execute(s, "COMMIT")) {
		fail(s, sqlite3_errmsg(s->db));
		execute(s, "ROLLBACK");
		return false;
	}
	return true;
}

/* Looks whose file it is before anything in it is changed. */
static bool set_up_schema(struct sqlite_store *s)
{
	int64_t version;

	if (!read_schema_version(s, &version))
		return false;
	if (!execute(s, s->access == STORE_READ
	                        ? "PRAGMA query_only = 1"
	                        : "PRAGMA journal_mode = WAL;"
	                          "PRAGMA synchronous = FULL"))
		return fail(s, sqlite3_errmsg(s->db));
	if (version == SCHEMA_VERSION)
		return true;
	if (s->access == STORE_READ)
		return fail(s, "the database is not set up yet");
	return migrate(s);
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

	if (code != SQLITE_OK && !is_locked_out(s))
		return fail(s, sqlite3_errmsg(s->db));
	return folder_sync(s->path) || fail(s, strerror(errno));
}

static bool set_up_connection(struct sqlite_store *s)
{
	int64_t identity;

	sqlite3_extended_result_codes(s->db, 1);
	sqlite3_busy_timeout(s->db, s->busy_timeout_ms);
	if (!set_up_schema(s))
		return false;
	if (!query_number(s, "SELECT identity FROM log", &identity))
		return fail(s, sqlite3_errmsg(s->db));
	s->log = (uint32_t)identity;
	s->data_version = -1;
	return s->access == STORE_READ || settle(s);
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

static bool open_database(struct sqlite_store *s)
{
	int flags = SQLITE_OPEN_NOMUTEX |
	            (s->access == STORE_READ
	                     ? SQLITE_OPEN_READONLY
	                     : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);

	s->hopeless = false;
	if (sqlite3_open_v2(s->path, &s->db, flags, NULL) != SQLITE_OK) {
		fail(s, sqlite3_errmsg(s->db));
		s->hopeless = is_missing(s);
		disconnect(s);
		return false;
	}
	if (!set_up_connection(s)) {
		disconnect(s);
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

/* Makes a new database; alone, for another writer may be about to do the same,
 * and the side files would then be those of its. */
static bool create_database(struct sqlite_store *s)
{
	int lock = folder_lock(s->path);

	if (is_missing(s)) {
		remove_side_files(s);
		create_file(s);
	}
	bool good = open_database(s);
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

static bool sqlite_connect(void *connection)
{
	struct sqlite_store *s = connection;

	if (s->db != NULL && has_moved(s)) {
		if (s->access == STORE_WRITE)
			journal_warning("database removed or replaced: %s", s->path);
		disconnect(s);
	}
	if (s->db != NULL)
		return true;
	if (s->access == STORE_WRITE && is_missing(s))
		return create_database(s);
	return open_database(s);
}

/* Nobody asks how much memory SQLite has, and counting it takes a lock that all
 * threads would share. Has no effect once SQLite is in use. */
static void configure_library(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static void *sqlite_open(const struct settings *settings, const char *address,
                         enum store_access access)
{
	struct sqlite_store *s = memory_get(sizeof *s);
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, configure_library);
	s->path = memory_copy(address, strlen(address));
	s->access = access;
	s->busy_timeout_ms = (int)settings->store_busy_timeout;
	return s;
}

static void sqlite_close(void *connection)
{
	struct sqlite_store *s = connection;

	disconnect(s);
	free(s->path);
	free(s);
}

static const char *sqlite_error(const void *connection)
{
	const struct sqlite_store *s = connection;

	return s->error;
}

static bool sqlite_is_hopeless(const void *connection)
{
	const struct sqlite_store *s = connection;

	return s->hopeless;
}

/* A relative path would follow the folder that a program is started in; a name
 * like :memory: is none. */
static bool sqlite_check_address(const char *address, struct buffer *error)
{
	if (address[0] != '/')
		buffer_printf(error, "'%s' is not an absolute path", address);
	return address[0] == '/';
}

static bool read_log_end(struct sqlite_store *s, struct log_end *end)
{
	sqlite3_stmt *statement = prepare(s, LOG_END);

	if (statement == NULL || sqlite3_step(statement) != SQLITE_ROW)
		return false;
	end->log = s->log;
	end->newest = sqlite3_column_int64(statement, 0);
	end->removals = sqlite3_column_int64(statement, 1);
	return sqlite3_reset(statement) == SQLITE_OK;
}

/* data_version moves when another connection has committed, so an idle log
 * costs no look into its tables. */
static bool sqlite_log_end(void *connection, struct log_end *end)
{
	struct sqlite_store *s = connection;
	int64_t version;

	if (!sqlite_connect(s))
		return false;
	if (!read_data_version(s, &version))
		return fail_by_database(s);
	if (version != s->data_version) {
		if (!read_log_end(s, &s->end))
			return fail_by_database(s);
		s->data_version = version;
	}
	*end = s->end;
	return true;
}

/* Finds a room's id: *id is 0 if the room does not exist. */
static bool find_room(struct sqlite_store *s, const struct room_name *room,
                      int64_t *id)
{
	*id = room->number;
	if (room->number > 0)
		return true;
	sqlite3_stmt *statement = prepare(s, FIND_ROOM);
	if (statement == NULL)
		return false;
	bind_text(statement, 1, room_name_text(room));
	int code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		*id = sqlite3_column_int64(statement, 0);
	sqlite3_reset(statement);
	return code == SQLITE_ROW || code == SQLITE_DONE;
}

static bool add_numbered_room(struct sqlite_store *s, const struct room_name *room)
{
	sqlite3_stmt *statement = prepare(s, ADD_NUMBERED_ROOM);

	if (statement == NULL)
		return false;
	sqlite3_bind_int64(statement, 1, room->number);
	bind_text(statement, 2, room_name_text(room));
	bool good = sqlite3_step(statement) == SQLITE_DONE;
	sqlite3_reset(statement);
	return good;
}

static bool add_named_room(struct sqlite_store *s, const struct room_name *room,
                           int64_t *id)
{
	sqlite3_stmt *statement = prepare(s, ADD_NAMED_ROOM);

	if (statement == NULL)
		return false;
	bind_text(statement, 1, room_name_text(room));
	bool good = sqlite3_step(statement) == SQLITE_ROW;
	if (good)
		*id = sqlite3_column_int64(statement, 0);
	sqlite3_reset(statement);
	return good;
}

static bool find_or_add_room(struct sqlite_store *s, const struct room_name *room,
                             int64_t *id)
{
	if (room->number > 0) {
		*id = room->number;
		return add_numbered_room(s, room);
	}
	return find_room(s, room, id) &&
	       (*id != 0 || add_named_room(s, room, id));
}

/* Looks whether the sender's client_id came before. */
static bool find_repeated(struct sqlite_store *s, struct append *append,
                          int64_t room_id, bool *found)
{
	const struct message *m = append->message;

	*found = false;
	if (m->client_id.data == NULL)
		return true;
	sqlite3_stmt *statement = prepare(s, FIND_REPEATED);
	if (statement == NULL)
		return false;
	sqlite3_bind_int64(statement, 1, room_id);
	bind_text(statement, 2, m->sender_id);
	bind_text(statement, 3, m->client_id);
	bind_text(statement, 4, m->content);
	int code = sqlite3_step(statement);
	if (code == SQLITE_ROW) {
		*found = true;
		append->message->id = sqlite3_column_int64(statement, 0);
		append->outcome = sqlite3_column_int(statement, 1)
		                          ? APPEND_REPEATED
		                          : APPEND_CONFLICT;
	}
	sqlite3_reset(statement);
	return code == SQLITE_ROW || code == SQLITE_DONE;
}

static bool insert(struct sqlite_store *s, struct append *append, int64_t room_id)
{
	struct message *m = append->message;
	sqlite3_stmt *statement = prepare(s, INSERT);

	if (statement == NULL)
		return false;
	sqlite3_bind_int64(statement, 1, room_id);
	bind_text(statement, 2, m->sender_id);
	bind_text(statement, 3, m->sender_name);
	bind_text(statement, 4, m->sender_type);
	bind_text(statement, 5, m->content);
	bind_text(statement, 6, m->client_id);
	sqlite3_bind_int64(statement, 7, m->sent_ms);
	bool good = sqlite3_step(statement) == SQLITE_DONE;
	/* The texts are the caller's and may be gone by the next call. */
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	append->outcome = APPEND_SAVED;
	m->id = good ? sqlite3_last_insert_rowid(s->db) : 0;
	return good;
}

static bool append_one(struct sqlite_store *s, struct append *append)
{
	int64_t room_id;
	bool found;

	return find_or_add_room(s, &append->message->room, &room_id) &&
	       find_repeated(s, append, room_id, &found) &&
	       (found || insert(s, append, room_id));
}

static bool insert_all(struct sqlite_store *s, struct append *appends,
                       size_t count)
{
	bool good = run(s, BEGIN_WRITE);

	for (size_t i = 0; good && i < count; i++)
		good = append_one(s, &appends[i]);
	return good;
}

/* Commits what nobody sees but the disk does; an UPDATE to the same values would
 * write nothing. */
static bool commit_nothing(struct sqlite_store *s)
{
	return run(s, BEGIN_WRITE) && write_version(s) && run(s, COMMIT);
}

/* A commit that fails in its last step, the sync, stands in the WAL whole. This
 * connection knows that it is void; but whoever is the first to open the
 * database after a crash, or after a close that can't empty the WAL, would take
 * it for good. So another commit is written over its begin. If its sync fails
 * too, no harm is done: whoever takes that one for good finds no message in it. */
static bool write_over_failed_commit(struct sqlite_store *s)
{
	bool good = commit_nothing(s);

	end_transaction(s);
	return good;
}

/* Says in *again whether another try can't save a message twice. */
static bool append_all(struct sqlite_store *s, struct append *appends,
                       size_t count, uint32_t *log, bool *again)
{
	*again = false;
	if (!sqlite_connect(s))
		return false;
	sqlite3_busy_timeout(s->db, s->is_locked ? 0 : s->busy_timeout_ms);
	bool all_inserted = insert_all(s, appends, count);
	if (all_inserted && run(s, COMMIT)) {
		*log = s->log;
		/* data_version does not move for one's own commits. */
		s->data_version = -1;
		s->is_locked = false;
		return true;
	}
	for (size_t i = 0; i < count; i++)
		appends[i].message->id = 0;
	s->is_locked = is_locked_out(s);
	fail(s, sqlite3_errmsg(s->db));
	end_transaction(s);
	if (s->is_locked)
		return false;
	*again = !all_inserted || write_over_failed_commit(s);
	disconnect(s);
	return false;
}

/* What a new connection may better is tried on one at once: the database may
 * have been read-only, or full, when this one was opened. */
static bool sqlite_append(void *connection, struct append *appends, size_t count,
                          uint32_t *log)
{
	struct sqlite_store *s = connection;
	bool again;

	return append_all(s, appends, count, log, &again) ||
	       (again && append_all(s, appends, count, log, &again));
}

static bool sqlite_probe(void *connection)
{
	struct sqlite_store *s = connection;

	if (!sqlite_connect(s))
		return false;
	sqlite3_busy_timeout(s->db, s->is_locked ? 0 : s->busy_timeout_ms);
	return commit_nothing(s) || fail_by_database(s);
}

/* Fills in all but the room. */
static void read_message(sqlite3_stmt *row, struct message *m)
{
	m->id = sqlite3_column_int64(row, 0);
	m->sender_id = column_text(row, 1);
	m->sender_name = column_text(row, 2);
	m->sender_type = column_text(row, 3);
	m->content = column_text(row, 4);
	m->client_id = column_text(row, 5);
	m->sent_ms = sqlite3_column_int64(row, 6);
}

/* The parts of a read that is of one moment. */
static bool begin_read(struct sqlite_store *s, struct log_end *end)
{
	return run(s, BEGIN_READ) && read_log_end(s, end);
}

static bool finish_read(struct sqlite_store *s, bool good)
{
	return (good && run(s, COMMIT)) || fail_by_database(s);
}

static bool read_room_state(struct sqlite_store *s, int64_t room_id,
                            struct room_state *state)
{
	sqlite3_stmt *statement = prepare(s, ROOM_STATE);

	if (statement == NULL)
		return false;
	sqlite3_bind_int64(statement, 1, room_id);
	bool good = sqlite3_step(statement) == SQLITE_ROW;
	if (good) {
		state->earliest = sqlite3_column_int64(statement, 0);
		state->pruned = sqlite3_column_int64(statement, 1);
	}
	sqlite3_reset(statement);
	return good;
}

/* About what the content takes as a JSON string: a control character may need
 * six bytes. */
static int64_t json_size(struct text content)
{
	size_t escaped = 0;

	for (size_t i = 0; i < content.size; i++)
		escaped += (unsigned char)content.data[i] < 0x20;
	return (int64_t)(content.size + 5 * escaped);
}

static bool is_full(const struct store_range *range,
                    const struct store_page *page, int64_t bytes)
{
	return page->count == range->limit ||
	       (range->bytes > 0 && bytes >= range->bytes);
}

/* Messages come oldest first, so how many of the newest are within range->bytes
 * has to be known before they are read. */
static bool fit_backwards(struct sqlite_store *s, int64_t room_id,
                          struct store_range *range)
{
	sqlite3_stmt *row = prepare(s, SIZES_BEFORE);
	int64_t count = 0, bytes = 0;
	int code = SQLITE_ROW;

	if (row == NULL)
		return false;
	sqlite3_bind_int64(row, 1, room_id);
	sqlite3_bind_int64(row, 2, range->limit);
	sqlite3_bind_int64(row, 3, range->direction == STORE_NEWEST ? INT64_MAX
	                                                            : range->id);
	while (bytes < range->bytes && (code = sqlite3_step(row)) == SQLITE_ROW) {
		bytes += sqlite3_column_int64(row, 0) + ENTRY_BYTES;
		count++;
	}
	sqlite3_reset(row);
	if (count > 0)
		range->limit = count;
	range->bytes = 0;
	return code == SQLITE_DONE || code == SQLITE_ROW;
}

static bool read_page(struct sqlite_store *s, int64_t room_id,
                      const struct room_name *room,
                      const struct store_range *range, store_visit *visit,
                      void *context, struct store_page *page)
{
	static const enum statement by_direction[] = {
		[STORE_NEWEST] = PAGE_NEWEST,
		[STORE_BEFORE] = PAGE_BEFORE,
		[STORE_AFTER] = PAGE_AFTER,
	};
	sqlite3_stmt *row = prepare(s, by_direction[range->direction]);
	struct message m = {.room = *room};
	int64_t bytes = 0;
	int code;

	if (row == NULL)
		return false;
	sqlite3_bind_int64(row, 1, room_id);
	sqlite3_bind_int64(row, 2, range->limit);
	if (range->direction != STORE_NEWEST)
		sqlite3_bind_int64(row, 3, range->id);
	while ((code = sqlite3_step(row)) == SQLITE_ROW) {
		if (is_full(range, page, bytes)) {
			page->more = true;
			break;
		}
		read_message(row, &m);
		visit(context, &m);
		page->first = page->count == 0 ? m.id : page->first;
		page->last = m.id;
		page->count++;
		if (range->bytes > 0)
			bytes += json_size(m.content) + ENTRY_BYTES;
	}
	sqlite3_reset(row);
	if (range->direction != STORE_AFTER)
		page->more = page->count > 0 && page->first > page->state.earliest;
	return code == SQLITE_DONE || code == SQLITE_ROW;
}

static bool sqlite_read_room(void *connection, const struct room_name *room,
                             const struct store_range *range,
                             store_visit *visit, void *context,
                             struct store_page *page)
{
	struct sqlite_store *s = connection;
	struct store_range fitting = *range;
	int64_t room_id;

	*page = (struct store_page){0};
	if (!sqlite_connect(s))
		return false;
	bool good = begin_read(s, &page->end) && find_room(s, room, &room_id);
	if (good && room_id != 0 && range->bytes > 0 &&
	    range->direction != STORE_AFTER)
		good = fit_backwards(s, room_id, &fitting);
	if (good && room_id != 0)
		good = read_room_state(s, room_id, &page->state) &&
		       read_page(s, room_id, room, &fitting, visit, context,
		                 page);
	return finish_read(s, good);
}

static bool sqlite_read_states(void *connection, const struct room_name *rooms,
                               size_t count, struct room_state *states,
                               struct log_end *end)
{
	struct sqlite_store *s = connection;
	int64_t room_id;

	if (!sqlite_connect(s))
		return false;
	bool good = begin_read(s, end);
	for (size_t i = 0; good && i < count; i++) {
		states[i] = (struct room_state){0};
		good = find_room(s, &rooms[i], &room_id) &&
		       (room_id == 0 || read_room_state(s, room_id, &states[i]));
	}
	return finish_read(s, good);
}

static bool read_one(struct sqlite_store *s, int64_t room_id,
                     const struct room_name *room, int64_t id,
                     store_visit *visit, void *context, bool *found)
{
	sqlite3_stmt *row = prepare(s, ONE);
	struct message m = {.room = *room};

	if (row == NULL)
		return false;
	sqlite3_bind_int64(row, 1, room_id);
	sqlite3_bind_int64(row, 2, id);
	int code = sqlite3_step(row);
	if (code == SQLITE_ROW) {
		read_message(row, &m);
		visit(context, &m);
		*found = true;
	}
	sqlite3_reset(row);
	return code == SQLITE_ROW || code == SQLITE_DONE;
}

static bool sqlite_read_one(void *connection, const struct room_name *room,
                            int64_t id, store_visit *visit, void *context,
                            struct log_end *end, bool *found)
{
	struct sqlite_store *s = connection;
	int64_t room_id;

	*found = false;
	if (!sqlite_connect(s))
		return false;
	bool good = begin_read(s, end) && find_room(s, room, &room_id) &&
	            (room_id == 0 || read_one(s, room_id, room, id, visit,
	                                      context, found));
	return finish_read(s, good);
}

/* False: a row of somebody else's making names no room that a client could
 * have asked for. */
static bool read_room_name(sqlite3_stmt *row, struct room_name *room)
{
	int64_t room_id = sqlite3_column_int64(row, COLUMN_ROOM_ID);

	if (room_id > 0) {
		room_name_from_number(room_id, room);
		return true;
	}
	struct text name = column_text(row, COLUMN_ROOM_NAME);
	return name.data != NULL && room_name_parse(name, room);
}

static bool read_log(struct sqlite_store *s, int64_t id, int64_t limit,
                     int64_t bytes, store_visit *visit, void *context,
                     struct log_page *page)
{
	sqlite3_stmt *row = prepare(s, LOG_AFTER);
	struct message m;
	int64_t count = 0;
	int code = SQLITE_ROW;

	if (row == NULL)
		return false;
	sqlite3_bind_int64(row, 1, id);
	sqlite3_bind_int64(row, 2, limit);
	while (bytes > 0 && (code = sqlite3_step(row)) == SQLITE_ROW) {
		read_message(row, &m);
		if (read_room_name(row, &m.room))
			visit(context, &m);
		page->upto = m.id;
		bytes -= (int64_t)m.content.size + ENTRY_BYTES;
		count++;
	}
	sqlite3_reset(row);
	if (code == SQLITE_DONE && count < limit)
		page->upto = page->end.newest;
	return code == SQLITE_DONE || code == SQLITE_ROW;
}

static bool sqlite_read_log(void *connection, int64_t id, int64_t limit,
                            int64_t bytes, store_visit *visit, void *context,
                            struct log_page *page)
{
	struct sqlite_store *s = connection;

	page->upto = id;
	if (!sqlite_connect(s))
		return false;
	bool good = begin_read(s, &page->end) &&
	            read_log(s, id, limit, bytes, visit, context, page);
	return finish_read(s, good);
}

static bool find_tail(struct sqlite_store *s, int64_t bytes, int64_t *id)
{
	sqlite3_stmt *row = prepare(s, LOG_BACKWARDS);
	int code = SQLITE_DONE;

	if (row == NULL)
		return false;
	*id = 0;
	while (bytes > 0 && (code = sqlite3_step(row)) == SQLITE_ROW) {
		*id = sqlite3_column_int64(row, 0) - 1;
		bytes -= sqlite3_column_int64(row, 1) + ENTRY_BYTES;
	}
	/* All of it fits: then the tail begins where the log does. */
	if (code == SQLITE_DONE)
		*id = 0;
	sqlite3_reset(row);
	return code == SQLITE_DONE || code == SQLITE_ROW;
}

static bool sqlite_find_tail(void *connection, int64_t bytes, int64_t *id)
{
	struct sqlite_store *s = connection;

	if (!sqlite_connect(s))
		return false;
	return find_tail(s, bytes, id) || fail_by_database(s);
}

const struct store_backend store_sqlite = {
	.scheme = "sqlite:",
	.open = sqlite_open,
	.close = sqlite_close,
	.error = sqlite_error,
	.connect = sqlite_connect,
	.is_hopeless = sqlite_is_hopeless,
	.check_address = sqlite_check_address,
	.log_end = sqlite_log_end,
	.append = sqlite_append,
	.probe = sqlite_probe,
	.read_room = sqlite_read_room,
	.read_states = sqlite_read_states,
	.read_one = sqlite_read_one,
	.read_log = sqlite_read_log,
	.find_tail = sqlite_find_tail,
};
