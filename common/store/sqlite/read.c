/* Pages of rooms and of the log. */
#include "store/foreign.h"
#include "store/room_id.h"
#include "store/sqlite/private.h"

enum { ENTRY_BYTES = 128 }; /* what a message counts beside its texts */

/* In LOG_AFTER. */
enum { COLUMN_ROOM_ID = 7, COLUMN_ROOM_NAME = 8 };

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
	/* Somebody has changed one of the two by hand. */
	if (!incarnations_end_with(&s->incarnations, s->log))
		incarnations_add(&s->incarnations, s->log, 0);
	return code == SQLITE_DONE;
}

/* Incarnations are only ever added, so one that is still the newest has the same
 * before it. */
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

/* data_version moves when another connection has committed, so an idle log
 * costs no look into its tables. */
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
	sqlite3_stmt *row = sqlite_prepare(s, SIZES_BEFORE);
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
	sqlite3_stmt *row = sqlite_prepare(s, by_direction[range->direction]);
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
		if (sqlite_read_message(row, &m)) {
			visit(context, &m);
			if (range->bytes > 0)
				bytes += json_size(m.content) + ENTRY_BYTES;
		}
		page->first = page->count == 0 ? m.id : page->first;
		page->last = m.id;
		page->count++;
	}
	sqlite3_reset(row);
	if (range->direction != STORE_AFTER)
		page->more = page->count > 0 && page->first > page->state.earliest;
	return code == SQLITE_DONE || code == SQLITE_ROW;
}

/* Only for a reader from below what was removed at all. */
static bool find_removed(struct sqlite_store *s, int64_t room_id,
                         const struct store_range *range,
                         struct store_page *page)
{
	if (range->direction != STORE_AFTER || page->state.pruned <= range->id)
		return true;
	return sqlite_find_hole(s, room_id,
	                        page->more ? page->last : page->end.newest,
	                        &page->removed);
}

bool sqlite_read_room(void *connection, const struct room_name *room,
                             const struct store_range *range,
                             store_visit *visit, void *context,
                             struct store_page *page)
{
	struct sqlite_store *s = connection;
	struct store_range fitting = *range;
	int64_t room_id;

	*page = (struct store_page){0};
	if (!sqlite_enter(s))
		return false;
	bool good = sqlite_begin_read(s, &page->end) && sqlite_find_room(s, room, &room_id);
	if (good && room_id != 0 && range->bytes > 0 &&
	    range->direction != STORE_AFTER)
		good = fit_backwards(s, room_id, &fitting);
	if (good && room_id != 0)
		good = sqlite_read_room_state(s, room_id, &page->end, &page->state) &&
		       read_page(s, room_id, room, &fitting, visit, context,
		                 page) &&
		       find_removed(s, room_id, range, page);
	return sqlite_finish_read(s, good);
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
	for (size_t i = 0; good && i < count; i++) {
		states[i] = (struct room_state){0};
		good = sqlite_find_room(s, &rooms[i], &room_id) &&
		       (room_id == 0 ||
		        sqlite_read_room_state(s, room_id, end, &states[i]));
	}
	return sqlite_finish_read(s, good);
}

static bool read_one(struct sqlite_store *s, int64_t room_id,
                     const struct room_name *room, int64_t id,
                     store_visit *visit, void *context, bool *found)
{
	sqlite3_stmt *row = sqlite_prepare(s, ONE);
	struct message m = {.room = *room};

	if (row == NULL)
		return false;
	sqlite3_bind_int64(row, 1, room_id);
	sqlite3_bind_int64(row, 2, id);
	int code = sqlite3_step(row);
	if (code == SQLITE_ROW && sqlite_read_message(row, &m)) {
		visit(context, &m);
		*found = true;
	}
	sqlite3_reset(row);
	return code == SQLITE_ROW || code == SQLITE_DONE;
}

bool sqlite_read_one(void *connection, const struct room_name *room,
                            int64_t id, store_visit *visit, void *context,
                            struct log_end *end, bool *found)
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

static bool read_log_row(sqlite3_stmt *row, struct message *m)
{
	if (!sqlite_read_message(row, m))
		return false;
	if (sqlite_read_room_name(row, COLUMN_ROOM_ID, COLUMN_ROOM_NAME, &m->room))
		return true;
	foreign_pass_over(m->id, "its room_id is of no room");
	return false;
}

static bool read_log(struct sqlite_store *s, int64_t id, int64_t limit,
                     int64_t bytes, store_visit *visit, void *context,
                     struct log_page *page)
{
	sqlite3_stmt *row = sqlite_prepare(s, LOG_AFTER);
	struct message m;
	int64_t count = 0;
	int code = SQLITE_ROW;

	if (row == NULL)
		return false;
	sqlite3_bind_int64(row, 1, id);
	sqlite3_bind_int64(row, 2, limit);
	while (bytes > 0 && (code = sqlite3_step(row)) == SQLITE_ROW) {
		if (read_log_row(row, &m)) {
			visit(context, &m);
			bytes -= (int64_t)m.content.size;
		}
		page->upto = m.id;
		bytes -= ENTRY_BYTES;
		count++;
	}
	sqlite3_reset(row);
	if (code == SQLITE_DONE && count < limit)
		page->upto = page->end.newest;
	return code == SQLITE_DONE || code == SQLITE_ROW;
}

bool sqlite_read_log(void *connection, int64_t id, int64_t limit,
                            int64_t bytes, store_visit *visit, void *context,
                            struct log_page *page)
{
	struct sqlite_store *s = connection;

	page->upto = id;
	if (!sqlite_enter(s))
		return false;
	bool good = sqlite_begin_read(s, &page->end) &&
	            read_log(s, id, limit, bytes, visit, context, page);
	return sqlite_finish_read(s, good);
}

static bool find_tail(struct sqlite_store *s, int64_t bytes, int64_t *id)
{
	sqlite3_stmt *row = sqlite_prepare(s, LOG_BACKWARDS);
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

bool sqlite_find_tail(void *connection, int64_t bytes, int64_t *id)
{
	struct sqlite_store *s = connection;

	if (!sqlite_enter(s))
		return false;
	return sqlite_leave(s, find_tail(s, bytes, id) ||
	                               sqlite_fail_by_database(s));
}
