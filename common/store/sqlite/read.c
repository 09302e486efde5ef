/* Reads pages of rooms and of the log. */
#include "store/foreign.h"
#include "store/room_id.h"
#include "store/sqlite/private.h"

bool sqlite_read_data_version(struct sqlite_store *s, int64_t *version)
{
	sqlite3_stmt *statement = sqlite_prepare(s, DATA_VERSION);

	if (statement == NULL || sqlite3_step(statement) != SQLITE_ROW)
		return false;
	*version = sqlite3_column_int64(statement, 0);
	return sqlite3_reset(statement) == SQLITE_OK;
}

static bool read_incarnations(struct sqlite_store *s)
{
	sqlite3_stmt *row = sqlite_prepare(s, INCARNATIONS);
	int code;

	if (row == NULL)
		return false;
	incarnations_clear(&s->incarnations);
	while ((code = sqlite3_step(row)) == SQLITE_ROW)
		incarnations_add(&s->incarnations,
		                 (uint32_t)sqlite3_column_int64(row, 0),
		                 sqlite3_column_int64(row, 1));
	sqlite3_reset(row);
	/* One of the two was changed by hand. */
	if (!incarnations_end_with(&s->incarnations, s->log))
		incarnations_add(&s->incarnations, s->log, 0);
	return code == SQLITE_DONE;
}

/* Incarnations are only added, so if the newest is unchanged, the whole list is. */
bool sqlite_read_end(struct sqlite_store *s, struct log_end *end)
{
	sqlite3_stmt *statement = sqlite_prepare(s, LOG_END);

	if (statement == NULL || sqlite3_step(statement) != SQLITE_ROW)
		return false;
	end->newest = sqlite3_column_int64(statement, 0);
	end->changes = sqlite3_column_int64(statement, 1);
	end->upheavals = sqlite3_column_int64(statement, 2);
	end->log = s->log = (uint32_t)sqlite3_column_int64(statement, 3);
	return sqlite3_reset(statement) == SQLITE_OK &&
	       (incarnations_end_with(&s->incarnations, s->log) ||
	        read_incarnations(s));
}

bool sqlite_begin_read(struct sqlite_store *s, struct log_end *end)
{
	return sqlite_run(s, BEGIN_READ) && sqlite_read_end(s, end);
}

bool sqlite_finish_read(struct sqlite_store *s, bool good)
{
	return sqlite_leave(s, (good && sqlite_run(s, COMMIT)) ||
	                               sqlite_fail_by_database(s));
}

/* data_version changes when another connection has committed, so an idle log needs
 * no read of its tables. */
static bool look_at_log_end(struct sqlite_store *s, struct log_end *end)
{
	int64_t version;

	if (!sqlite_read_data_version(s, &version))
		return false;
	if (version != s->data_version &&
	    (!sqlite_begin_read(s, &s->end) || !sqlite_look_for_low_ids(s) ||
	     !sqlite_run(s, COMMIT)))
		return false;
	s->data_version = version;
	*end = s->end;
	return true;
}

bool sqlite_log_end(void *connection, struct log_end *end)
{
	struct sqlite_store *s = connection;

	if (!sqlite_enter(s))
		return false;
	return sqlite_leave(s, look_at_log_end(s, end) ||
	                               sqlite_fail_by_database(s));
}

bool sqlite_find_room(struct sqlite_store *s, const struct room_name *room,
                      int64_t *id)
{
	*id = room_id_of(room);
	if (*id != 0)
		return true;
	sqlite3_stmt *statement = sqlite_prepare(s, FIND_ROOM);
	if (statement == NULL)
		return false;
	sqlite_bind_text(statement, 1, room_name_text(room));
	int code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		*id = sqlite3_column_int64(statement, 0);
	sqlite3_reset(statement);
	return code == SQLITE_ROW || code == SQLITE_DONE;
}

bool sqlite_read_room_state(struct sqlite_store *s, int64_t room_id,
                            const struct log_end *end,
                            struct room_state *state)
{
	sqlite3_stmt *statement = sqlite_prepare(s, ROOM_STATE);

	if (statement == NULL)
		return false;
	sqlite3_bind_int64(statement, 1, room_id);
	sqlite3_bind_int64(statement, 2, end->newest);
	bool good = sqlite3_step(statement) == SQLITE_ROW;
	if (good) {
		state->earliest = sqlite3_column_int64(statement, 0);
		state->pruned = sqlite3_column_int64(statement, 1);
	}
	sqlite3_reset(statement);
	return good;
}

static void bind_range(sqlite3_stmt *row, int64_t room_id, const struct page_cut *cut)
{
	sqlite3_bind_int64(row, 1, room_id);
	sqlite3_bind_int64(row, 2, cut->rows.limit);
	if (cut->range->direction != STORE_NEWEST)
		sqlite3_bind_int64(row, 3, cut->range->id);
}

static bool measure_page(struct sqlite_store *s, int64_t room_id,
                         struct page_cut *cut)
{
	sqlite3_stmt *row = sqlite_prepare(s, CONTENTS_BACKWARDS);
	int code;

	if (row == NULL)
		return false;
	bind_range(row, room_id, cut);
	if (cut->range->direction == STORE_NEWEST)
		sqlite3_bind_int64(row, 3, INT64_MAX);
	do
		code = sqlite3_step(row);
	while (code == SQLITE_ROW &&
	       page_cut_measure(cut, sqlite_column_text(row, 0),
	                        sqlite_column_text(row, 1)));
	sqlite3_reset(row);
	return code == SQLITE_DONE || code == SQLITE_ROW;
}

static bool read_page(struct sqlite_store *s, int64_t room_id,
                      const struct room_name *room, struct page_cut *cut)
{
	static const enum statement by_direction[] = {
		[STORE_NEWEST] = PAGE_NEWEST,
		[STORE_BEFORE] = PAGE_BEFORE,
		[STORE_AFTER] = PAGE_AFTER,
	};
	sqlite3_stmt *row = sqlite_prepare(s, by_direction[cut->range->direction]);
	struct message m = {.room = *room};
	int code;

	if (row == NULL)
		return false;
	bind_range(row, room_id, cut);
	while ((code = sqlite3_step(row)) == SQLITE_ROW) {
		sqlite_read_message(row, &m);
		if (!page_cut_take(cut, &m))
			break;
	}
	sqlite3_reset(row);
	return code == SQLITE_DONE || code == SQLITE_ROW;
}

static bool read_room(struct sqlite_store *s, int64_t room_id,
                      const struct room_name *room, struct page_cut *cut)
{
	struct store_page *page = cut->page;
	int64_t upto;

	return sqlite_read_room_state(s, room_id, &page->end, &page->state) &&
	       (!page_cut_is_measured(cut) || measure_page(s, room_id, cut)) &&
	       read_page(s, room_id, room, cut) &&
	       (!page_cut_needs_hole(cut, &upto) ||
	        sqlite_find_hole(s, room_id, upto, &page->removed));
}

bool sqlite_read_room(void *connection, const struct room_name *room,
                      struct page_cut *cut)
{
	struct sqlite_store *s = connection;
	int64_t room_id;

	if (!sqlite_enter(s))
		return false;
	bool good = sqlite_begin_read(s, &cut->page->end) &&
	            sqlite_find_room(s, room, &room_id) &&
	            (room_id == 0 || read_room(s, room_id, room, cut));
	return sqlite_finish_read(s, good);
}

bool sqlite_find_state(struct sqlite_store *s, const struct room_name *room,
                       const struct log_end *end, int64_t *id,
                       struct room_state *state)
{
	*state = (struct room_state){0};
	return sqlite_find_room(s, room, id) &&
	       (*id == 0 || sqlite_read_room_state(s, *id, end, state));
}

bool sqlite_read_states(void *connection, const struct room_name *rooms,
                        size_t count, struct room_state *states,
                        struct log_end *end)
{
	struct sqlite_store *s = connection;
	int64_t room_id;

	if (!sqlite_enter(s))
		return false;
	bool good = sqlite_begin_read(s, end);
	for (size_t i = 0; good && i < count; i++)
		good = sqlite_find_state(s, &rooms[i], end, &room_id, &states[i]);
	return sqlite_finish_read(s, good);
}

int sqlite_find_message(struct sqlite_store *s, int64_t room_id, int64_t id,
                        struct message *m, sqlite3_stmt **row)
{
	*row = sqlite_prepare(s, ONE);
	if (*row == NULL)
		return SQLITE_ERROR;
	sqlite3_bind_int64(*row, 1, room_id);
	sqlite3_bind_int64(*row, 2, id);
	int code = sqlite3_step(*row);
	if (code == SQLITE_ROW)
		sqlite_read_message(*row, m);
	return code;
}

static bool read_one(struct sqlite_store *s, int64_t room_id,
                     const struct room_name *room, int64_t id,
                     store_visit *visit, void *context, bool *found)
{
	struct message m = {.room = *room};
	sqlite3_stmt *row;
	int code = sqlite_find_message(s, room_id, id, &m, &row);

	if (code == SQLITE_ROW) {
		*found = foreign_may_be_given(&m);
		if (*found)
			visit(context, &m);
	}
	sqlite3_reset(row);
	return code == SQLITE_ROW || code == SQLITE_DONE;
}

bool sqlite_read_one(void *connection, const struct room_name *room, int64_t id,
                     store_visit *visit, void *context, struct log_end *end,
                     bool *found)
{
	struct sqlite_store *s = connection;
	int64_t room_id;

	*found = false;
	if (!sqlite_enter(s))
		return false;
	bool good = sqlite_begin_read(s, end) && sqlite_find_room(s, room, &room_id) &&
	            (room_id == 0 || read_one(s, room_id, room, id, visit,
	                                      context, found));
	return sqlite_finish_read(s, good);
}

static bool take_log_row(sqlite3_stmt *row, struct log_cut *cut)
{
	struct message m;
	struct text room_name;
	int64_t room_id;

	sqlite_read_log_row(row, &m, &room_id, &room_name);
	return log_cut_take(cut, &m, room_id, room_name);
}

static bool read_log(struct sqlite_store *s, struct log_cut *cut)
{
	sqlite3_stmt *row = sqlite_prepare(s, LOG_AFTER);
	int code;

	if (row == NULL)
		return false;
	sqlite3_bind_int64(row, 1, cut->page->upto);
	sqlite3_bind_int64(row, 2, cut->limit);
	do
		code = sqlite3_step(row);
	while (code == SQLITE_ROW && take_log_row(row, cut));
	sqlite3_reset(row);
	return code == SQLITE_DONE || code == SQLITE_ROW;
}

bool sqlite_read_log(void *connection, struct log_cut *cut)
{
	struct sqlite_store *s = connection;

	if (!sqlite_enter(s))
		return false;
	return sqlite_finish_read(s, sqlite_begin_read(s, &cut->page->end) &&
	                                     read_log(s, cut));
}

static bool find_tail(struct sqlite_store *s, struct tail_cut *cut)
{
	sqlite3_stmt *row = sqlite_prepare(s, LOG_BACKWARDS);
	int code;

	if (row == NULL)
		return false;
	do
		code = sqlite3_step(row);
	while (code == SQLITE_ROW && tail_cut_take(cut, sqlite3_column_int64(row, 0),
	                                           sqlite3_column_int64(row, 1)));
	sqlite3_reset(row);
	return code == SQLITE_DONE || code == SQLITE_ROW;
}

bool sqlite_find_tail(void *connection, struct tail_cut *cut)
{
	struct sqlite_store *s = connection;

	if (!sqlite_enter(s))
		return false;
	return sqlite_leave(s, find_tail(s, cut) || sqlite_fail_by_database(s));
}
