/* What others have changed or removed, by SQL. The triggers of schema.c
 * write it down. */
#include "store/sqlite/private.h"

/* In ROOMS_CHANGED. */
enum { COLUMN_ROOM_ID, COLUMN_NAME, COLUMN_CHANGED, COLUMN_EDITED };

bool sqlite_find_hole(struct sqlite_store *s, int64_t room_id, int64_t upto,
                      int64_t *id)
{
	sqlite3_stmt *statement = sqlite_prepare(s, LAST_HOLE);

	if (statement == NULL)
		return false;
	sqlite3_bind_int64(statement, 1, room_id);
	sqlite3_bind_int64(statement, 2, upto);
	bool good = sqlite3_step(statement) == SQLITE_ROW;
	if (good)
		*id = sqlite3_column_int64(statement, 0);
	sqlite3_reset(statement);
	return good;
}

/* False: SQLite has an error. A room without a name was never heard of. */
static bool take_change(struct sqlite_store *s, sqlite3_stmt *row,
                        struct room_change *rooms, size_t *count,
                        const struct log_end *end)
{
	struct room_change *change = &rooms[*count];

	if (!sqlite_read_room_name(row, COLUMN_ROOM_ID, COLUMN_NAME,
	                           &change->room))
		return true;
	change->edited = sqlite3_column_int(row, COLUMN_EDITED);
	(*count)++;
	return sqlite_read_room_state(s, sqlite3_column_int64(row, COLUMN_ROOM_ID),
	                              end, &change->state);
}

static bool read_changes(struct sqlite_store *s, int64_t since,
                         struct room_change *rooms, size_t most, size_t *count,
                         int64_t *upto, const struct log_end *end)
{
	sqlite3_stmt *row = sqlite_prepare(s, ROOMS_CHANGED);
	size_t seen = 0;
	int code;

	if (row == NULL)
		return false;
	sqlite3_bind_int64(row, 1, since);
	sqlite3_bind_int64(row, 2, (int64_t)most);
	while ((code = sqlite3_step(row)) == SQLITE_ROW) {
		seen++;
		*upto = sqlite3_column_int64(row, COLUMN_CHANGED);
		if (!take_change(s, row, rooms, count, end))
			break;
	}
	sqlite3_reset(row);
	if (code == SQLITE_DONE && seen < most)
		*upto = end->changes;
	return code == SQLITE_DONE;
}

bool sqlite_read_changes(void *connection, int64_t since,
                         struct room_change *rooms, size_t most, size_t *count,
                         int64_t *upto, struct log_end *end)
{
	struct sqlite_store *s = connection;

	*count = 0;
	*upto = since;
	if (!sqlite_enter(s))
		return false;
	bool good = sqlite_begin_read(s, end) &&
	            read_changes(s, since, rooms, most, count, upto, end);
	return sqlite_finish_read(s, good);
}
