/* The log's incarnations, and when a new one begins.
 *
 * A database may be a restored backup. A writer that opens it compares it with the
 * record beside it (acknowledged.h), under the folder's lock. It reads the record
 * first and the log's end second, so a commit of another writer in between can't
 * make the record seem ahead.
 *
 * A new incarnation begins if the log lacks acknowledged messages. It also begins if
 * the log is not empty and has no record, since then nothing is known; this resets
 * only clients that are ahead of the log. Another program may also restore a backup
 * into the open file by SQL. So commits of other programs are compared too, before
 * anything is added to the log. */
#include "store/sqlite/place.h"
#include "store/sqlite/private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/draw.h"
#include "base/journal.h"
#include "os/folder.h"

static bool fail_by_error(struct sqlite_store *s)
{
	sqlite_note_error(s);
	sqlite_end_transaction(s);
	return false;
}

static bool add_incarnation(struct sqlite_store *s)
{
	char sql[512];
	uint32_t tag = draw_number();

	snprintf(sql, sizeof sql,
	         "INSERT INTO incarnations (tag, began) VALUES (%u,"
	         " coalesce((SELECT seq FROM sqlite_sequence"
	         " WHERE name = 'messages'), 0));"
	         "UPDATE newest_incarnation SET tag = %u;"
	         "DELETE FROM incarnations WHERE number <="
	         " (SELECT max(number) FROM incarnations) - %d",
	         (unsigned)tag, (unsigned)tag, INCARNATIONS_MAX);
	return sqlite_execute(s, sql);
}

static bool begin(struct sqlite_store *s, struct log_end *end)
{
	sqlite3_busy_timeout(s->db, s->is_locked ? 0 : s->busy_timeout_ms);
	bool good = sqlite_run(s, BEGIN_WRITE) && add_incarnation(s) &&
	            sqlite_read_end(s, end) && sqlite_mark_if_due(s) &&
	            sqlite_run(s, COMMIT);
	if (good)
		sqlite_mark_committed(s);
	s->is_locked = !good && sqlite_is_locked_out(s);
	return good;
}

void sqlite_acknowledge(struct sqlite_store *s, int64_t id)
{
	const struct acknowledged now = {s->first, s->log, id};

	if (id > 0)
		acknowledged_file_raise(s->acknowledged, &now, &s->incarnations);
}

static void write_record(struct sqlite_store *s, const struct log_end *end)
{
	const struct acknowledged now = {s->first, end->log, end->newest};

	acknowledged_file_raise(s->acknowledged, &now, NULL);
}

/* If there is no record and none can be kept, each start would begin another
 * incarnation for nothing: the next restored backup is not noticed either way. */
static const char *why_to_begin(const struct sqlite_store *s,
                                const struct acknowledged *record,
                                const struct log_end *end)
{
	if (record != NULL && record->first == s->first)
		return acknowledged_is_in(record, s->first, &s->incarnations,
		                          end->newest)
		               ? NULL
		               : "it lacks what was acknowledged";
	return end->newest > 0 && acknowledged_file_is_there(s->acknowledged)
	               ? "nothing says how far it was acknowledged"
	               : NULL;
}

bool sqlite_read_first(struct sqlite_store *s, uint32_t *first)
{
	int64_t identity;
	bool good = sqlite_query_number(s, "SELECT identity FROM log", &identity);

	if (good)
		*first = (uint32_t)identity;
	return good;
}

bool sqlite_recognise(struct sqlite_store *s)
{
	struct acknowledged record;
	struct log_end end;
	bool found = acknowledged_file_read(s->path, &record);

	acknowledged_file_close(s->acknowledged);
	s->acknowledged = acknowledged_file_open(s->path);
	acknowledged_file_hold(s->acknowledged);
	if (!sqlite_read_first(s, &s->first) || !sqlite_begin_read(s, &end) ||
	    !sqlite_run(s, COMMIT))
		return fail_by_error(s);
	s->why_to_begin = why_to_begin(s, found ? &record : NULL, &end);
	if (s->why_to_begin == NULL)
		write_record(s, &end);
	return true;
}

bool sqlite_begin_if_due(struct sqlite_store *s)
{
	struct log_end end;

	if (s->why_to_begin != NULL) {
		if (!begin(s, &end))
			return fail_by_error(s);
		journal_warning("a new incarnation of the log begins after "
		                "msg_id=%lld: %s", (long long)end.newest,
		                s->why_to_begin);
		write_record(s, &end);
	}
	s->why_to_begin = NULL;
	sqlite_note_version(s);
	s->is_set_back = false;
	return true;
}

/* Like PRAGMA data_version, but a writer's own commits count too, and it costs next
 * to nothing. */
static uint32_t read_pager_version(struct sqlite_store *s)
{
	uint32_t version = 0;

	sqlite3_file_control(s->db, NULL, SQLITE_FCNTL_DATA_VERSION, &version);
	return version;
}

void sqlite_note_version(struct sqlite_store *s)
{
	s->pager_version = read_pager_version(s);
}

bool sqlite_know_newest(struct sqlite_store *s)
{
	struct acknowledged record;
	struct log_end end;
	uint32_t first;

	if (read_pager_version(s) == s->pager_version)
		return true;
	if (!sqlite_read_end(s, &end) || !sqlite_read_first(s, &first))
		return false;
	s->is_set_back = first != s->first ||
	                 (acknowledged_file_read(s->path, &record) &&
	                  record.first == first &&
	                  !acknowledged_is_in(&record, first, &s->incarnations,
	                                      end.newest));
	return !s->is_set_back ||
	       sqlite_fail(s, "another program has set the log back");
}

static bool fail_beside(struct sqlite_store *s, const char *what)
{
	snprintf(s->error, sizeof s->error, "%s-acknowledged %s: %s", s->path,
	         what, strerror(errno));
	return false;
}

static bool begin_alone(struct sqlite_store *s, struct log_end *end)
{
	s->acknowledged = acknowledged_file_open(s->path);
	if (!acknowledged_file_is_there(s->acknowledged))
		return fail_beside(s, "can't be opened");
	if (!acknowledged_file_claim(s->acknowledged))
		return errno == EAGAIN || errno == EACCES
		               ? sqlite_fail(s, "another writer has the log open: "
		                                "stop it first")
		               : fail_beside(s, "can't be locked");
	sqlite_places_lock();
	bool good = sqlite_open_database(s);
	sqlite_places_unlock();
	if (!good || !sqlite_settle(s))
		return false;
	if (!begin(s, end))
		return fail_by_error(s);
	write_record(s, end);
	return true;
}

bool sqlite_begin_incarnation(void *connection, struct log_end *end)
{
	struct sqlite_store *s = connection;
	int lock;

	if (!sqlite_is_let_in(s))
		return false;
	if (access(s->path, F_OK) != 0)
		return sqlite_fail(s, strerror(errno));
	if (!sqlite_lock_folder(s, &lock))
		return false;
	bool good = begin_alone(s, end);
	folder_unlock(lock);
	sqlite_disconnect(s);
	return good;
}
