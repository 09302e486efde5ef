/* Reads all rooms: the log by its ids, and beside it what was removed, by the index of
 * the holes. */
#include "store/sqlite/private.h"

/* In HOLES_AFTER. */
enum { HOLE_ROOM_ID = 1, HOLE_ROOM_NAME, HOLE_IS_HIGHEST };

/* The next row and the next hole. */
struct side_by_side {
	sqlite3_stmt *row, *hole;
	int64_t row_id, hole_id; /* 0: there is none */
	int64_t newest;
};

static bool begin_both(struct sqlite_store *s, const struct rooms_page *page,
                       struct side_by_side *next)
{
	next->row = sqlite_prepare(s, LOG_AFTER);
	next->hole = sqlite_prepare(s, HOLES_AFTER);
	next->newest = page->end.newest;
	if (next->row == NULL || next->hole == NULL)
		return false;
	sqlite3_bind_int64(next->row, 1, page->upto);
	sqlite3_bind_int64(next->row, 2, -1); /* no limit but the cut's */
	sqlite3_bind_int64(next->hole, 1, page->upto);
	sqlite3_bind_int64(next->hole, 2, next->newest);
	return sqlite_next_id(next->row, next->newest, &next->row_id) &&
	       sqlite_next_id(next->hole, next->newest, &next->hole_id);
}

static bool take_next_row(struct side_by_side *next, struct all_cut *cut,
                          bool *goes_on)
{
	struct message m;
	struct text room_name;
	int64_t room_id;

	sqlite_read_log_row(next->row, &m, &room_id, &room_name);
	*goes_on = all_cut_take(cut, &m, room_id, room_name);
	return !*goes_on ||
	       sqlite_next_id(next->row, next->newest, &next->row_id);
}

static bool take_next_hole(struct side_by_side *next, struct all_cut *cut,
                           bool *goes_on)
{
	struct text room_name;
	int64_t room_id;

	sqlite_column_room(next->hole, HOLE_ROOM_ID, HOLE_ROOM_NAME, &room_id,
	                   &room_name);
	*goes_on = all_cut_take_removed(
		cut, next->hole_id, sqlite3_column_int(next->hole, HOLE_IS_HIGHEST),
		room_id, room_name);
	return !*goes_on ||
	       sqlite_next_id(next->hole, next->newest, &next->hole_id);
}

static bool is_hole_first(const struct side_by_side *next)
{
	return next->hole_id != 0 &&
	       (next->row_id == 0 || next->hole_id <= next->row_id);
}

/* After a failure the statements stay as they are: to reset one that has not failed
 * would forget SQLite's error. */
static bool read_both(struct sqlite_store *s, struct all_cut *cut)
{
	struct side_by_side next;
	bool goes_on = true, good = begin_both(s, cut->rooms.page, &next);

	while (good && goes_on && (next.row_id != 0 || next.hole_id != 0))
		good = is_hole_first(&next)
		               ? take_next_hole(&next, cut, &goes_on)
		               : take_next_row(&next, cut, &goes_on);
	if (!good)
		return false;
	sqlite3_reset(next.row);
	sqlite3_reset(next.hole);
	return true;
}

static bool find_pruned(struct sqlite_store *s, struct all_cut *cut)
{
	sqlite3_stmt *row = sqlite_prepare(s, HIGHEST_HOLE);

	if (row == NULL)
		return false;
	sqlite3_bind_int64(row, 1, cut->rooms.page->end.newest);
	if (sqlite3_step(row) != SQLITE_ROW)
		return false;
	cut->gaps->pruned = sqlite3_column_int64(row, 0);
	return sqlite3_reset(row) == SQLITE_OK;
}

bool sqlite_read_all(void *connection, struct all_cut *cut)
{
	struct sqlite_store *s = connection;

	if (!sqlite_enter(s))
		return false;
	return sqlite_finish_read(s,
	                          sqlite_begin_read(s, &cut->rooms.page->end) &&
	                                  find_pruned(s, cut) &&
	                                  read_both(s, cut));
}
