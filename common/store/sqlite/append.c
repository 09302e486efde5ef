/* Appends messages to the log. */
#include "store/room_id.h"
#include "store/sqlite/private.h"

static bool add_numbered_room(struct sqlite_store *s, const struct room_name *room)
{
	sqlite3_stmt *statement = sqlite_prepare(s, ADD_NUMBERED_ROOM);

	if (statement == NULL)
		return false;
	sqlite3_bind_int64(statement, 1, room->number);
	sqlite_bind_text(statement, 2, room_name_text(room));
	bool good = sqlite3_step(statement) == SQLITE_DONE;
	sqlite3_reset(statement);
	return good;
}

static bool add_named_room(struct sqlite_store *s, const struct room_name *room,
                           int64_t *id)
{
	sqlite3_stmt *statement = sqlite_prepare(s, ADD_NAMED_ROOM);

	if (statement == NULL)
		return false;
	sqlite_bind_text(statement, 1, room_name_text(room));
	bool good = sqlite3_step(statement) == SQLITE_ROW;
	if (good)
		*id = sqlite3_column_int64(statement, 0);
	sqlite3_reset(statement);
	return good;
}

static bool find_or_add_room(struct sqlite_store *s, const struct room_name *room,
                             int64_t *id)
{
	*id = room_id_of(room);
	if (*id != 0)
		return add_numbered_room(s, room);
	return sqlite_find_room(s, room, id) &&
	       (*id != 0 || add_named_room(s, room, id));
}

/* What a message does not have stays NULL, which it is before the first use and after
 * end_use(). */
static void bind_carried(sqlite3_stmt *statement, int at, const struct message *m)
{
	if (m->type.size > 0)
		sqlite_bind_text(statement, at, m->type);
	if (m->data.size > 0)
		sqlite_bind_text(statement, at + 1, m->data);
	if (m->reply_to > 0)
		sqlite3_bind_int64(statement, at + 2, m->reply_to);
}

/* The texts are the caller's and may be gone by the next call. */
static void end_use(sqlite3_stmt *statement)
{
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
}

/* Finds out whether the sender has used this client_id before. */
static bool find_repeated(struct sqlite_store *s, struct append *append,
                          int64_t room_id, bool *found)
{
	const struct message *m = append->message;

	*found = false;
	if (m->client_id.data == NULL)
		return true;
	sqlite3_stmt *statement = sqlite_prepare(s, FIND_REPEATED);
	if (statement == NULL)
		return false;
	sqlite3_bind_int64(statement, 1, room_id);
	sqlite_bind_text(statement, 2, m->sender_id);
	sqlite_bind_text(statement, 3, m->client_id);
	sqlite_bind_text(statement, 4, m->content);
	bind_carried(statement, 5, m);
	int code = sqlite3_step(statement);
	if (code == SQLITE_ROW) {
		*found = true;
		outcome_repeated(append, sqlite3_column_int64(statement, 0),
		                 sqlite3_column_int(statement, 1));
	}
	end_use(statement);
	return code == SQLITE_ROW || code == SQLITE_DONE;
}

static bool insert(struct sqlite_store *s, struct append *append, int64_t room_id)
{
	const struct message *m = append->message;
	sqlite3_stmt *statement = sqlite_prepare(s, INSERT);

	if (statement == NULL)
		return false;
	sqlite3_bind_int64(statement, 1, room_id);
	sqlite_bind_text(statement, 2, m->sender_id);
	sqlite_bind_text(statement, 3, m->sender_name);
	sqlite_bind_text(statement, 4, m->sender_type);
	sqlite_bind_text(statement, 5, m->content);
	sqlite_bind_text(statement, 6, m->client_id);
	sqlite3_bind_int64(statement, 7, m->sent_ms);
	bind_carried(statement, 8, m);
	/* Another program's trigger may skip the row without an error. */
	bool good = sqlite3_step(statement) == SQLITE_DONE &&
	            sqlite3_changes(s->db) > 0;
	end_use(statement);
	if (good)
		outcome_saved(append, sqlite3_last_insert_rowid(s->db));
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
	bool good = sqlite_run(s, BEGIN_WRITE) && sqlite_know_newest(s);

	for (size_t i = 0; good && i < count; i++)
		good = append_one(s, &appends[i]);
	return good;
}

/* ---- When one of them can't be saved, and others may ---- */

/* Whether the last failure concerns only this message, and not the disk, a lock or
 * the connection. Without an error a trigger has skipped the row. */
static bool is_its_own(const struct sqlite_store *s)
{
	if (s->is_set_back)
		return false;
	switch (sqlite3_errcode(s->db) & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
	case SQLITE_TOOBIG:
	case SQLITE_ERROR: /* in a trigger; or in the schema, see insert_each() */
		return true;
	default:
		return false;
	}
}

static void append_refuse(struct sqlite_store *s, struct append *append)
{
	int code = sqlite3_errcode(s->db) & 0xff;
	bool is_left_out = code == SQLITE_OK || code == SQLITE_DONE;

	s->has_refused_by_error |= code == SQLITE_ERROR;
	outcome_refused(append, is_left_out ? "a trigger has left it out"
	                                    : sqlite3_errmsg(s->db));
}

/* Whether the transaction is still open: RAISE(ROLLBACK) in a trigger ends it. */
static bool is_in_transaction(const struct sqlite_store *s)
{
	return !sqlite3_get_autocommit(s->db);
}

/* A refused message leaves nothing behind: no room, no used id, and no row, which
 * RAISE(FAIL) would leave. */
static bool insert_or_refuse(struct sqlite_store *s, struct append *append)
{
	if (!sqlite_run(s, MARK))
		return false;
	if (append_one(s, append))
		return sqlite_run(s, KEEP_SINCE_MARK);
	if (!is_its_own(s))
		return false;
	append_refuse(s, append);
	return is_in_transaction(s) && sqlite_run(s, UNDO_SINCE_MARK) &&
	       sqlite_run(s, KEEP_SINCE_MARK);
}

/* The messages not refused so far. */
static bool insert_rest(struct sqlite_store *s, struct append *appends,
                        size_t count)
{
	bool good = sqlite_run(s, BEGIN_WRITE) && sqlite_know_newest(s);

	for (size_t i = 0; good && i < count; i++)
		good = appends[i].outcome == APPEND_REFUSED ||
		       insert_or_refuse(s, &appends[i]);
	return good;
}

/* Tries each message in a transaction of its own, which is rolled back. In a common
 * transaction the work would grow with the square of the messages that end it. */
static bool sift(struct sqlite_store *s, struct append *appends, size_t count)
{
	bool good = true;

	for (size_t i = 0; good && i < count; i++) {
		if (appends[i].outcome == APPEND_REFUSED)
			continue;
		good = sqlite_run(s, BEGIN_WRITE);
		if (good && !append_one(s, &appends[i])) {
			good = is_its_own(s);
			if (good)
				append_refuse(s, &appends[i]);
		}
		if (good)
			sqlite_end_transaction(s);
	}
	return good;
}

static size_t count_refused(const struct append *appends, size_t count)
{
	size_t refused = 0;

	for (size_t i = 0; i < count; i++)
		refused += appends[i].outcome == APPEND_REFUSED;
	return refused;
}

/* False: the failure does not concern single messages. This may show late: SQLite
 * uses the same code for an unusable schema as for an error in a trigger. Then no
 * message can be saved, and the reason is read once more. */
static bool insert_each(struct sqlite_store *s, struct append *appends,
                        size_t count)
{
	s->has_refused_by_error = false;
	for (size_t i = 0; i < count; i++)
		appends[i].outcome = APPEND_SAVED;
	if (!insert_rest(s, appends, count) &&
	    (is_in_transaction(s) || !sift(s, appends, count) ||
	     !insert_rest(s, appends, count)))
		return false;
	if (count_refused(appends, count) < count || !s->has_refused_by_error)
		return true;
	sqlite_end_transaction(s);
	return insert_all(s, appends, count);
}

/* A commit that fails in its last step, the sync, is complete in the WAL. This
 * connection knows that it failed. But the first process that opens the database
 * after a crash, or after a close that can't empty the WAL, would take it as
 * committed. So another commit, without a message, overwrites its beginning. If the
 * sync of that one fails too, no harm is done. */
static bool write_over_failed_commit(struct sqlite_store *s)
{
	bool good = sqlite_commit_mark(s);

	sqlite_end_transaction(s);
	return good;
}

static void note_saved(struct sqlite_store *s, const struct append *appends,
                       size_t count, uint32_t *log)
{
	*log = s->log;
	/* Before any other read: from now on another process may commit. */
	sqlite_note_version(s);
	/* data_version does not move for one's own commits. */
	s->data_version = -1;
	s->is_locked = false;
	sqlite_acknowledge(s, outcome_highest(appends, count));
	sqlite_mark_committed(s);
	sqlite_checkpoint_if_due(s);
}

static enum attempt fail_attempt(struct sqlite_store *s, bool all_inserted)
{
	if (s->is_set_back) {
		sqlite_end_transaction(s);
		return ATTEMPT_VOID;
	}
	s->is_locked = sqlite_is_locked_out(s);
	sqlite_note_error(s);
	/* SQLite calls it full. */
	if ((sqlite3_errcode(s->db) & 0xff) == SQLITE_FULL)
		sqlite_has_ids_left(s);
	sqlite_end_transaction(s);
	if (s->is_locked)
		return ATTEMPT_LOCKED;
	bool is_void = !all_inserted || write_over_failed_commit(s);
	sqlite_close_in_order(s);
	return is_void ? ATTEMPT_VOID : ATTEMPT_UNKNOWN;
}

static enum attempt commit_batch(struct sqlite_store *s, bool all_inserted,
                                 const struct append *appends, size_t count,
                                 uint32_t *log)
{
	all_inserted = all_inserted && sqlite_mark_if_due(s);
	if (!all_inserted || !sqlite_run(s, COMMIT))
		return fail_attempt(s, all_inserted);
	note_saved(s, appends, count, log);
	return ATTEMPT_SAVED;
}

static enum attempt append_together(struct sqlite_store *s, struct append *appends,
                                    size_t count, uint32_t *log)
{
	bool all_inserted = insert_all(s, appends, count);

	if (all_inserted || !is_its_own(s))
		return commit_batch(s, all_inserted, appends, count, log);
	sqlite_end_transaction(s);
	return ATTEMPT_SPOILT;
}

static bool enter_to_append(struct sqlite_store *s)
{
	if (!sqlite_enter(s))
		return false;
	sqlite3_busy_timeout(s->db, s->is_locked ? 0 : s->busy_timeout_ms);
	return true;
}

enum attempt sqlite_append(void *connection, struct append *appends, size_t count,
                           uint32_t *log)
{
	struct sqlite_store *s = connection;

	if (!enter_to_append(s))
		return ATTEMPT_UNCONNECTED;
	enum attempt attempt = append_together(s, appends, count, log);
	sqlite_leave(s, true);
	return attempt;
}

enum attempt sqlite_append_each(void *connection, struct append *appends,
                                size_t count, uint32_t *log)
{
	struct sqlite_store *s = connection;

	if (!enter_to_append(s))
		return ATTEMPT_UNCONNECTED;
	bool all_inserted = insert_each(s, appends, count);
	enum attempt attempt = commit_batch(s, all_inserted, appends, count, log);
	sqlite_leave(s, true);
	return attempt;
}

bool sqlite_probe(void *connection)
{
	struct sqlite_store *s = connection;

	if (!enter_to_append(s))
		return false;
	return sqlite_leave(s, (sqlite_commit_mark(s) ||
	                        sqlite_fail_by_database(s)) &&
	                               sqlite_has_ids_left(s));
}
