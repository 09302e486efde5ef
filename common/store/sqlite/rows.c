/* Reads rows from SQLite. A column may be of any type, since other programs write to
 * the tables too. */
#include "store/foreign.h"
#include "store/sqlite/private.h"

enum {
	COLUMN_TYPE = 7,
	COLUMN_DATA,
	COLUMN_REPLY_TO,
	/* In LOG_AFTER. */
	COLUMN_ROOM_ID,
	COLUMN_ROOM_NAME
};

/* Most rows have none of them. */
static void read_carried(sqlite3_stmt *row, struct message *m)
{
	sqlite3_value *type = sqlite3_column_value(row, COLUMN_TYPE);
	sqlite3_value *data = sqlite3_column_value(row, COLUMN_DATA);
	sqlite3_value *reply_to = sqlite3_column_value(row, COLUMN_REPLY_TO);

	m->type = m->data = (struct text){0};
	m->reply_to = 0;
	if (sqlite3_value_type(type) != SQLITE_NULL)
		m->type = foreign_type(sqlite_value_text(type));
	if (sqlite3_value_type(data) != SQLITE_NULL)
		m->data = sqlite_value_text(data);
	if (sqlite3_value_type(reply_to) == SQLITE_INTEGER)
		m->reply_to = foreign_reply_to(sqlite3_value_int64(reply_to));
}

void sqlite_read_message(sqlite3_stmt *row, struct message *m)
{
	m->id = sqlite3_column_int64(row, 0);
	m->sender_id = sqlite_column_text(row, 1);
	m->sender_name = sqlite_column_text(row, 2);
	m->sender_type = sqlite_column_text(row, 3);
	m->content = sqlite_column_text(row, 4);
	m->client_id = sqlite_column_text(row, 5);
	m->sent_ms = sqlite3_column_int64(row, 6);
	m->is_signal = false;
	read_carried(row, m);
}

void sqlite_column_room(sqlite3_stmt *row, int id_column, int name_column,
                        int64_t *room_id, struct text *name)
{
	*room_id = 0;
	*name = (struct text){0};
	if (sqlite3_column_type(row, id_column) == SQLITE_INTEGER)
		*room_id = sqlite3_column_int64(row, id_column);
	if (sqlite3_column_type(row, name_column) == SQLITE_TEXT)
		*name = sqlite_column_text(row, name_column);
}

void sqlite_read_log_row(sqlite3_stmt *row, struct message *m, int64_t *room_id,
                         struct text *room_name)
{
	sqlite_read_message(row, m);
	sqlite_column_room(row, COLUMN_ROOM_ID, COLUMN_ROOM_NAME, room_id,
	                   room_name);
}

bool sqlite_next_id(sqlite3_stmt *row, int64_t newest, int64_t *id)
{
	int code = sqlite3_step(row);

	*id = code == SQLITE_ROW ? sqlite3_column_int64(row, 0) : 0;
	if (code == SQLITE_ROW && *id <= newest)
		return true;
	*id = 0;
	return code == SQLITE_ROW || code == SQLITE_DONE
	               ? sqlite3_reset(row) == SQLITE_OK
	               : false;
}

bool sqlite_look_for_low_ids(struct sqlite_store *s)
{
	sqlite3_stmt *statement = sqlite_prepare(s, LOWEST_ID);

	if (statement == NULL || sqlite3_step(statement) != SQLITE_ROW)
		return false;
	if (sqlite3_column_type(statement, 0) != SQLITE_NULL &&
	    sqlite3_column_int64(statement, 0) < 1)
		foreign_pass_over(sqlite3_column_int64(statement, 0),
		                  "its id is below 1");
	return sqlite3_reset(statement) == SQLITE_OK;
}

bool sqlite_has_ids_left(struct sqlite_store *s)
{
	struct log_end end;

	return !sqlite_read_end(s, &end) || end.newest < INT64_MAX ||
	       sqlite_fail(s, store_no_id_left);
}
