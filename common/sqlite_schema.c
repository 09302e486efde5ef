#include "sqlite_private.h"

#include <stdio.h>

enum {
	APPLICATION_ID = 0x4c6e6772, /* "Lngr", for file(1) */
	SCHEMA_VERSION = 1,
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

/* Says through s->error and s->hopeless what can't be mended by trying again. */
static bool read_schema_version(struct sqlite_store *s, int64_t *version)
{
	int64_t application, tables;

	if (!sqlite_query_number(s, "PRAGMA user_version", version) ||
	    !sqlite_query_number(s, "PRAGMA application_id", &application) ||
	    !sqlite_query_number(s, "SELECT count(*) FROM sqlite_schema", &tables))
		return sqlite_fail(s, sqlite3_errmsg(s->db));
	s->hopeless = true;
	if (application != APPLICATION_ID && (application != 0 || tables > 0))
		return sqlite_fail(s, "the file is not a Longroom database");
	if (*version > SCHEMA_VERSION)
		return sqlite_fail(s, "the database is from a newer version");
	s->hopeless = false;
	return true;
}

bool sqlite_write_version(struct sqlite_store *s)
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
	return sqlite_write_version(s);
}

/* Looked at again within the transaction: two programs may start at once. */
static bool migrate(struct sqlite_store *s)
{
	int64_t version;

	if (!sqlite_execute(s, "BEGIN IMMEDIATE"))
		return sqlite_fail(s, sqlite3_errmsg(s->db));
	if (!read_schema_version(s, &version)) {
		sqlite_execute(s, "ROLLBACK");
		return false;
	}
	if (!migrate_from(s, version) || !sqlite_execute(s, "COMMIT")) {
		sqlite_fail(s, sqlite3_errmsg(s->db));
		sqlite_execute(s, "ROLLBACK");
		return false;
	}
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
	                          "PRAGMA synchronous = FULL"))
		return sqlite_fail(s, sqlite3_errmsg(s->db));
	if (version == SCHEMA_VERSION)
		return true;
	if (s->access == STORE_READ)
		return sqlite_fail(s, "the database is not set up yet");
	return migrate(s);
}
