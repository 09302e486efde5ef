/* Rows that others have put into the tables: which can be read, and what the
 * operator is told of those that can't. The table is in longroom-history(8). */
#include "store/sqlite/private.h"

#include <inttypes.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/journal.h"

enum {
	TOLD_MAX = 64,       /* rows that are remembered, not to tell them again */
	TELLS_MAX = 10,      /* lines a minute */
	MINUTE_MS = 60000,
};

/* Of the process: its connections see the same rows. */
static struct {
	pthread_mutex_t lock;
	int64_t ids[TOLD_MAX];
	size_t count;
	int64_t minute_began_ms;
	int tells; /* since then */
} told = {.lock = PTHREAD_MUTEX_INITIALIZER, .minute_began_ms = INT64_MIN / 2};

static bool was_told(int64_t id)
{
	for (size_t i = 0; i < told.count && i < TOLD_MAX; i++)
		if (told.ids[i] == id)
			return true;
	return false;
}

static bool may_tell(int64_t id)
{
	int64_t now_ms = clock_monotonic_ms();

	if (was_told(id))
		return false;
	if (now_ms - told.minute_began_ms >= MINUTE_MS) {
		told.minute_began_ms = now_ms;
		told.tells = 0;
	}
	if (told.tells == TELLS_MAX)
		return false;
	told.tells++;
	told.ids[told.count++ % TOLD_MAX] = id;
	return true;
}

void sqlite_pass_over(int64_t id, const char *why)
{
	pthread_mutex_lock(&told.lock);
	bool tell = may_tell(id);
	pthread_mutex_unlock(&told.lock);
	if (tell)
		journal_warning("passed over a row that others have written: %s: "
		                "msg_id=%" PRId64, why, id);
}

bool sqlite_read_message(sqlite3_stmt *row, struct message *m)
{
	m->id = sqlite3_column_int64(row, 0);
	m->sender_id = sqlite_column_text(row, 1);
	m->sender_name = sqlite_column_text(row, 2);
	m->sender_type = sqlite_column_text(row, 3);
	m->content = sqlite_column_text(row, 4);
	m->client_id = sqlite_column_text(row, 5);
	m->sent_ms = sqlite3_column_int64(row, 6);
	if (m->sender_id.size + m->sender_name.size + m->sender_type.size +
	            m->content.size + m->client_id.size <= STORE_ROW_BYTES_MAX)
		return true;
	sqlite_pass_over(m->id, "it is longer than 4 MiB");
	return false;
}

bool sqlite_read_room_name(sqlite3_stmt *row, int id_column, int name_column,
                           struct room_name *room)
{
	int64_t room_id = sqlite3_column_int64(row, id_column);

	if (sqlite3_column_type(row, id_column) != SQLITE_INTEGER || room_id == 0)
		return false;
	if (room_id > 0) {
		room_name_from_number(room_id, room);
		return true;
	}
	if (sqlite3_column_type(row, name_column) != SQLITE_TEXT)
		return false;
	/* A numbered room has its number for an id. */
	return room_name_parse(sqlite_column_text(row, name_column), room) &&
	       room->number == 0;
}

bool sqlite_look_for_low_ids(struct sqlite_store *s)
{
	sqlite3_stmt *statement = sqlite_prepare(s, LOWEST_ID);

	if (statement == NULL || sqlite3_step(statement) != SQLITE_ROW)
		return false;
	if (sqlite3_column_type(statement, 0) != SQLITE_NULL &&
	    sqlite3_column_int64(statement, 0) < 1)
		sqlite_pass_over(sqlite3_column_int64(statement, 0),
		                 "its id is below 1");
	return sqlite3_reset(statement) == SQLITE_OK;
}

bool sqlite_has_ids_left(struct sqlite_store *s)
{
	struct log_end end;

	return !sqlite_read_end(s, &end) || end.newest < INT64_MAX ||
	       sqlite_fail(s, store_no_id_left);
}
