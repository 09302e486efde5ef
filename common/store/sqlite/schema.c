#include "store/sqlite/private.h"

#include <stdio.h>

enum {
	APPLICATION_ID = 0x4c6e6772, /* "Lngr", for file(1) */
	SCHEMA_VERSION = 6,
};

/* Parts of triggers, for the row "old" or "new". What they write must not conflict
 * with anything: an UPDATE OR REPLACE of the operator's would have its own way
 * with that. */

/* The room has changed, as change number change_count.changes. */
#define ROOM_CHANGED(row) \
	"INSERT INTO changed_rooms (room_id, changed) SELECT " row ".room_id, 0" \
	"  WHERE typeof(" row ".room_id) = 'integer' AND NOT EXISTS" \
	"   (SELECT 1 FROM changed_rooms WHERE room_id = " row ".room_id);" \
	"UPDATE changed_rooms SET changed = (SELECT changes FROM change_count)" \
	"  WHERE room_id = " row ".room_id;"

/* ... and not only by losing its oldest message. */
#define ROOM_EDITED(row) \
	ROOM_CHANGED(row) \
	"UPDATE changed_rooms SET edited = changed" \
	"  WHERE room_id = " row ".room_id;"

/* Messages that are neighbours in their room have at most one hole between them:
 * it has the highest of the ids that were removed there. */
#define HOLE_LEFT_BY_OLD \
	"DELETE FROM holes WHERE room_id = old.room_id AND id < old.id" \
	"  AND id > coalesce((SELECT max(id) FROM messages" \
	"   WHERE room_id = old.room_id AND id < old.id), 0);" \
	"INSERT INTO holes (room_id, id) SELECT old.room_id, old.id" \
	"  WHERE typeof(old.room_id) = 'integer' AND old.id > 0" \
	"   AND NOT EXISTS (SELECT 1 FROM holes" \
	"    WHERE room_id = old.room_id AND id >= old.id" \
	"     AND id < coalesce((SELECT min(id) FROM messages" \
	"      WHERE room_id = old.room_id AND id > old.id)," \
	"      9223372036854775807));"

#define COUNT_CHANGE "UPDATE change_count SET changes = changes + 1;"

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
	/* Removed messages are recorded, even if another program removes them, so
	 * that clients learn of the gap. */
	"CREATE TRIGGER messages_removed AFTER DELETE ON messages BEGIN"
	"  INSERT OR IGNORE INTO rooms (room_id, name)"
	"    VALUES (old.room_id, 'room_' || old.room_id);"
	"  UPDATE rooms SET pruned_id = max(pruned_id, old.id)"
	"    WHERE room_id = old.room_id;"
	"  UPDATE log SET removals = removals + 1;"
	"END;"
	"INSERT INTO log (identity) VALUES (abs(random() % 4294967296));",

	/* What an operator changes by SQL. upheavals counts those changes of which
	 * it is not said where they were. log.removals and rooms.pruned_id are not
	 * used from here on: to alter a table would have this connection open a
	 * temporary database, which every commit of its would be for as well. */
	"DROP TRIGGER messages_removed;"
	"CREATE TABLE change_count ("
	"  changes INTEGER NOT NULL,"
	"  upheavals INTEGER NOT NULL DEFAULT 0"
	");"
	"INSERT INTO change_count (changes) SELECT removals FROM log;"
	/* For each room the numbers of its last change, and of the last that was
	 * more than the removal of its oldest message. */
	"CREATE TABLE changed_rooms ("
	"  room_id INTEGER PRIMARY KEY,"
	"  changed INTEGER NOT NULL,"
	"  edited INTEGER NOT NULL DEFAULT 0"
	");"
	"CREATE INDEX changed_rooms_in_order ON changed_rooms (changed);"
	/* Where messages were removed from a room. */
	"CREATE TABLE holes ("
	"  room_id INTEGER NOT NULL,"
	"  id INTEGER NOT NULL,"
	"  PRIMARY KEY (room_id, id)"
	") WITHOUT ROWID;"
	"INSERT INTO holes SELECT room_id, pruned_id FROM rooms"
	"  WHERE typeof(pruned_id) = 'integer' AND pruned_id > 0;"
	"CREATE TRIGGER messages_removed AFTER DELETE ON messages BEGIN "
	COUNT_CHANGE
	ROOM_CHANGED("old")
	HOLE_LEFT_BY_OLD
	"UPDATE changed_rooms SET edited = changed"
	"  WHERE room_id = old.room_id AND EXISTS (SELECT 1 FROM messages"
	"   WHERE room_id = old.room_id AND id < old.id);"
	"END;"
	"CREATE TRIGGER messages_edited AFTER UPDATE OF sender_id, sender_name,"
	"  sender_type, content, client_id, sent_ms ON messages BEGIN "
	COUNT_CHANGE
	ROOM_EDITED("new")
	"END;"
	/* Ids go on after the highest, as if it had been inserted. */
	"CREATE TRIGGER messages_moved AFTER UPDATE OF id, room_id ON messages"
	"  WHEN old.id <> new.id OR old.room_id IS NOT new.room_id BEGIN "
	COUNT_CHANGE
	HOLE_LEFT_BY_OLD
	ROOM_EDITED("old")
	COUNT_CHANGE /* no two rooms have the same number */
	ROOM_EDITED("new")
	"UPDATE sqlite_sequence SET seq = max(seq, new.id)"
	"  WHERE name = 'messages';"
	"END;"
	"CREATE TRIGGER rooms_renamed AFTER UPDATE OF room_id, name ON rooms"
	"  WHEN old.room_id <> new.room_id OR old.name IS NOT new.name BEGIN"
	"  UPDATE change_count"
	"    SET changes = changes + 1, upheavals = upheavals + 1;"
	"END;"
	"CREATE TRIGGER rooms_removed AFTER DELETE ON rooms BEGIN"
	"  UPDATE change_count"
	"    SET changes = changes + 1, upheavals = upheavals + 1;"
	"END;",

	/* log.identity stays: it is the first tag, by which a log is known for
	 * all its life. newest_incarnation has that of the last row here, where a
	 * read of the log's end finds it at once. began is the highest id that had
	 * been given out. */
	"CREATE TABLE incarnations ("
	"  number INTEGER PRIMARY KEY,"
	"  tag INTEGER NOT NULL UNIQUE,"
	"  began INTEGER NOT NULL"
	");"
	"INSERT INTO incarnations (tag, began) SELECT identity, 0 FROM log;"
	"CREATE TABLE newest_incarnation (tag INTEGER NOT NULL);"
	"INSERT INTO newest_incarnation (tag) SELECT identity FROM log;",

	/* The mark by which the file and its WAL know each other: wal.h has
	 * what it says, this is one that was not drawn yet. */
	"CREATE TABLE life (mark TEXT NOT NULL);"
	"INSERT INTO life (mark) VALUES (printf('longroom life %016x.00000000"
	" 0000000000000000.00000000 00000000 00000000', random()));",

	/* For reads of all rooms: finds what was removed behind an id. */
	"CREATE INDEX holes_by_id ON holes (id);",

	/* What a message carries. NULL: it is a chat_message, without data, and
	 * answers none. No row is touched: one that ends before these columns has
	 * NULL there. Unlike other ways to alter a table, to add a column opens no
	 * temporary database. */
	"ALTER TABLE messages ADD COLUMN type TEXT;"
	"ALTER TABLE messages ADD COLUMN data TEXT;"
	"ALTER TABLE messages ADD COLUMN reply_to INTEGER;"
	"DROP TRIGGER IF EXISTS messages_edited;"
	"CREATE TRIGGER messages_edited AFTER UPDATE OF sender_id, sender_name,"
	"  sender_type, content, client_id, sent_ms, type, data, reply_to"
	"  ON messages BEGIN "
	COUNT_CHANGE
	ROOM_EDITED("new")
	"END;",
};

/* Where SQLite has them in a database's first page. */
enum {
	TABLES_PAGE_AT = 100, /* of the schema's table */
	TABLES_COUNT_AT = 103,
	LEAF_OF_TABLE = 0x0d,
};

bool sqlite_is_our_application(const struct database_head *head)
{
	return head->application == APPLICATION_ID;
}

static bool has_tables(const uint8_t *head)
{
	return head[TABLES_PAGE_AT] != LEAF_OF_TABLE ||
	       head[TABLES_COUNT_AT] != 0 || head[TABLES_COUNT_AT + 1] != 0;
}

static const char foreign_file[] = "the file is not a Longroom database";
#define NEWER_DATABASE \
	"the database is of a newer version: %u; this program knows up to %d"

static enum store_prospect judge_empty(enum store_access access,
                                       struct buffer *found)
{
	buffer_add_string(found, access == STORE_WRITE
	                         ? "it is empty: a log begins in it"
	                         : "it is empty: longroom-history begins a log");
	return access == STORE_WRITE ? STORE_USABLE : STORE_UNSURE;
}

static enum store_prospect judge_version(uint32_t version,
                                         enum store_access access,
                                         struct buffer *found)
{
	if (version > SCHEMA_VERSION) {
		buffer_printf(found, NEWER_DATABASE, (unsigned)version,
		              SCHEMA_VERSION);
		return STORE_UNUSABLE;
	}
	buffer_printf(found, "a log of version %u", (unsigned)version);
	if (version == SCHEMA_VERSION)
		return STORE_USABLE;
	if (access == STORE_WRITE)
		buffer_printf(found, ": the start updates it to %d",
		              SCHEMA_VERSION);
	else
		buffer_add_string(found, ": longroom-history updates it");
	return access == STORE_WRITE ? STORE_USABLE : STORE_UNSURE;
}

enum store_prospect sqlite_judge_head(const uint8_t *head, size_t size,
                                      enum store_access access,
                                      struct buffer *found)
{
	struct database_head known;

	if (size == 0)
		return judge_empty(access, found);
	if (size < SCHEMA_HEAD_BYTES || !database_head_read(head, &known)) {
		buffer_add_string(found, "the file is not a database: put the "
		                         "right one in its place");
		return STORE_UNUSABLE;
	}
	if (sqlite_is_our_application(&known))
		return judge_version(known.version, access, found);
	if (known.application == 0 && known.version == 0 && !has_tables(head))
		return judge_empty(access, found);
	buffer_add_string(found, foreign_file);
	return STORE_UNUSABLE;
}

/* Sets s->error, and s->hopeless if retrying cannot help. */
static bool read_schema_version(struct sqlite_store *s, int64_t *version)
{
	int64_t application, tables;

	if (!sqlite_query_number(s, "PRAGMA user_version", version) ||
	    !sqlite_query_number(s, "PRAGMA application_id", &application) ||
	    !sqlite_query_number(s, "SELECT count(*) FROM sqlite_schema", &tables))
		return sqlite_note_error(s);
	s->hopeless = true;
	if (application != APPLICATION_ID &&
	    (application != 0 || *version != 0 || tables > 0))
		return sqlite_fail(s, foreign_file);
	if (*version < 0 || *version > SCHEMA_VERSION) {
		snprintf(s->error, sizeof s->error, NEWER_DATABASE,
		         (unsigned)*version, SCHEMA_VERSION);
		return false;
	}
	s->hopeless = false;
	return true;
}

static bool write_version(struct sqlite_store *s)
{
	char pragmas[80];

	snprintf(pragmas, sizeof pragmas,
	         "PRAGMA application_id = %d; PRAGMA user_version = %d",
	         APPLICATION_ID, SCHEMA_VERSION);
	return sqlite_execute(s, pragmas);
}

static bool migrate_from(struct sqlite_store *s, int64_t version)
{
	for (; version < SCHEMA_VERSION; version++)
		if (!sqlite_execute(s, migrations[version]))
			return false;
	return write_version(s);
}

/* What another program has done to the tables may be in the way, such as a column of
 * the same name: trying again does not help. */
static bool fail_migration(struct sqlite_store *s)
{
	s->hopeless = (sqlite3_errcode(s->db) & 0xff) == SQLITE_ERROR;
	sqlite_note_error(s);
	sqlite_execute(s, "ROLLBACK");
	if (s->hopeless) {
		char why[STORE_ERROR_MAX];

		snprintf(why, sizeof why,
		         "the update to version %d fails, another program has changed "
		         "the tables: %.200s", SCHEMA_VERSION, s->error);
		sqlite_fail(s, why);
	}
	return false;
}

/* Checked again within the transaction: two programs may start at the same time. */
static bool migrate(struct sqlite_store *s)
{
	int64_t version;

	if (!sqlite_execute(s, "BEGIN IMMEDIATE"))
		return sqlite_note_error(s);
	if (!read_schema_version(s, &version)) {
		sqlite_execute(s, "ROLLBACK");
		return false;
	}
	if (!migrate_from(s, version) || !sqlite_execute(s, "COMMIT"))
		return fail_migration(s);
	return true;
}

bool sqlite_set_up_schema(struct sqlite_store *s)
{
	int64_t version;

	if (!read_schema_version(s, &version))
		return false;
	if (!sqlite_execute(s, s->access == STORE_READ
	                        ? "PRAGMA query_only = 1"
	                        : "PRAGMA journal_mode = WAL;"
	                          "PRAGMA synchronous = FULL;"
	                          "PRAGMA journal_size_limit = 8388608"))
		return sqlite_note_error(s);
	if (version == SCHEMA_VERSION)
		return true;
	s->is_awaited = s->access == STORE_READ;
	if (s->is_awaited)
		return sqlite_fail(s, "the database is not set up yet");
	return migrate(s);
}
