/* Changes and removals by other programs, by SQL. The triggers of schema.c record
 * them. */
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

static bool take_change(struct sqlite_store *s, sqlite3_stmt *row,
                        struct changes_cut *cut)
{
	struct text name;
	int64_t room_id;

	sqlite_column_room(row, COLUMN_ROOM_ID, COLUMN_NAME, &room_id, &name);
	struct room_state *state = changes_cut_take(
		cut, sqlite3_column_int64(row, COLUMN_CHANGED),
		sqlite3_column_int(row, COLUMN_EDITED), room_id, name);
	return state == NULL || sqlite_read_room_state(s, room_id, cut->end, state);
}

static bool read_changes(struct sqlite_store *s, struct changes_cut *cut)
{
	sqlite3_stmt *row = sqlite_prepare(s, ROOMS_CHANGED);
	int code;

	if (row == NULL)
		return false;
	sqlite3_bind_int64(row, 1, cut->since);
	sqlite3_bind_int64(row, 2, (int64_t)cut->most);
	do
		code = sqlite3_step(row);
	while (code == SQLITE_ROW && take_change(s, row, cut));
	sqlite3_reset(row);
	return code == SQLITE_DONE;
}

bool sqlite_read_changes(void *connection, struct changes_cut *cut)
{
	struct sqlite_store *s = connection;

	if (!sqlite_enter(s))
		return false;
	return sqlite_finish_read(s, sqlite_begin_read(s, cut->end) &&
	                                     read_changes(s, cut));
}
