/* Checkpoints: moves the WAL into the database. SQLite would do so by itself after
 * every commit that leaves 1,000 frames. But the mark has to be drawn before that.
 * And a WAL that a reader has kept from being emptied must be emptied when the
 * reader is gone, even if no message comes then. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/journal.h"
#include "metrics/metrics.h"
#include "os/folder.h"
#include "store/sqlite/private.h"

enum {
	CHECKPOINT_FRAMES = 1000,
	AGAIN_FRAMES = 100, /* after one that was held up */
	/* A WAL that has grown beyond is cut again. */
	WAL_KEPT_BYTES = 8 * 1024 * 1024,
	FINISH_MS = 100,
};

static int count_frames(void *store, sqlite3 *db, const char *name, int frames)
{
	struct sqlite_store *s = store;

	(void)db;
	(void)name;
	/* The WAL has begun anew. */
	if (frames < s->wal.frames)
		s->wal.checkpoint_from = CHECKPOINT_FRAMES;
	s->wal.frames = frames;
	return SQLITE_OK;
}

void sqlite_watch_wal(struct sqlite_store *s)
{
	s->wal = (struct sqlite_wal){
		.checkpoint_from = CHECKPOINT_FRAMES,
		.is_told = s->wal.is_told,
	};
	sqlite3_wal_hook(s->db, count_frames, s);
}

/* ---- What the operator hears ---- */

static int64_t held_seconds(const struct sqlite_wal *wal)
{
	if (wal->held_since_ms == 0)
		return 0;
	return (clock_monotonic_ms() - wal->held_since_ms) / 1000;
}

static void tell(struct sqlite_store *s)
{
	struct sqlite_wal *wal = &s->wal;
	int64_t bytes = file_look_at(s->paths.wal).bytes;

	metrics_set(METRIC_HISTORY_WAL_BYTES, bytes);
	metrics_set(METRIC_HISTORY_WAL_HELD, held_seconds(wal));
	if (!wal->is_told && bytes > s->wal_warning_bytes) {
		journal_warning("the WAL is large: wal_bytes=%" PRId64
		                " held_seconds=%" PRId64 ": another process holds "
		                "a read transaction open; find it with: fuser %s",
		                bytes, held_seconds(wal), s->paths.shm);
		wal->is_told = true;
	} else if (wal->is_told && bytes <= WAL_KEPT_BYTES) {
		journal_info("the WAL is small again: wal_bytes=%" PRId64, bytes);
		wal->is_told = false;
	}
}

/* ---- Checkpoints ---- */

/* Says whether all of the WAL is in the database now. */
static bool run_checkpoint(struct sqlite_store *s, int mode)
{
	int frames = -1, done = -2;
	int code = sqlite3_wal_checkpoint_v2(s->db, NULL, mode, &frames, &done);

	return code == SQLITE_OK && frames == done;
}

/* A commit that drew a mark was the last. */
static void checkpoint(struct sqlite_store *s, int mode)
{
	struct sqlite_wal *wal = &s->wal;

	if (!sqlite_is_in_place(s))
		return;
	if (run_checkpoint(s, mode)) {
		wal->touch_is_due = true;
		wal->held_since_ms = 0;
		wal->checkpoint_from = CHECKPOINT_FRAMES;
	} else {
		if (wal->held_since_ms == 0)
			wal->held_since_ms = clock_monotonic_ms();
		wal->checkpoint_from = wal->frames + AGAIN_FRAMES;
	}
	/* We have changed the file ourselves. */
	sqlite_is_in_place(s);
	tell(s);
}

void sqlite_checkpoint_if_due(struct sqlite_store *s)
{
	if (s->wal.is_drawn)
		checkpoint(s, SQLITE_CHECKPOINT_PASSIVE);
	else if (s->wal.frames >= s->wal.checkpoint_from)
		s->wal.draw_is_due = true;
}

static bool commit_draw(struct sqlite_store *s)
{
	s->wal.draw_is_due = !s->wal.is_drawn;
	if (s->wal.is_drawn || sqlite_commit_mark(s))
		return true;
	sqlite_end_transaction(s);
	return false;
}

/* A checkpoint that was held up is first tried without a new mark: drawing one each
 * time would make the WAL grow for nothing. */
static void catch_up(struct sqlite_store *s)
{
	bool is_large = file_look_at(s->paths.wal).bytes > WAL_KEPT_BYTES;

	if (s->wal.held_since_ms != 0 &&
	    !run_checkpoint(s, SQLITE_CHECKPOINT_PASSIVE))
		return;
	if (commit_draw(s))
		checkpoint(s, is_large ? SQLITE_CHECKPOINT_TRUNCATE
		                       : SQLITE_CHECKPOINT_PASSIVE);
}

/* A log that another program has set back is recognised before the next message. */
static bool enter_recognised(struct sqlite_store *s)
{
	struct log_end end;

	if (!sqlite_enter(s))
		return false;
	if (sqlite_begin_read(s, &end) && sqlite_know_newest(s))
		sqlite_note_version(s);
	sqlite_end_transaction(s);
	if (!s->is_set_back)
		return true;
	sqlite_leave(s, true);
	return sqlite_enter(s);
}

void sqlite_tend(void *connection)
{
	struct sqlite_store *s = connection;

	if (!enter_recognised(s))
		return;
	sqlite3_busy_timeout(s->db, 0);
	if (s->wal.draw_is_due || s->wal.held_since_ms != 0 ||
	    file_look_at(s->paths.wal).bytes > WAL_KEPT_BYTES)
		catch_up(s);
	sqlite3_busy_timeout(s->db, s->busy_timeout_ms);
	tell(s);
	sqlite_leave(s, true);
}

static bool fail_to_sync(struct sqlite_store *s)
{
	snprintf(s->error, sizeof s->error, "can't sync the folder of %s: %s",
	         s->paths.database, strerror(errno));
	return false;
}

/* What a crashed process or a failed sync has left in the WAL can be read, but may
 * not be on disk, and no later sync of the WAL need bring it there. Yet new commits
 * would build on it, and a repeated client_id would be answered from it. So all of
 * the WAL is moved into the database, and the WAL begins anew. A process that holds
 * a lock meanwhile had the database open before, so what is read through its WAL was
 * synced.
 *
 * SQLite does not check whether the sync of the folder succeeds. */
bool sqlite_settle(struct sqlite_store *s)
{
	s->wal.draw_is_due = true;
	bool is_drawn = sqlite_commit_mark(s), is_locked = sqlite_is_locked_out(s);

	if (!is_drawn && !is_locked)
		return sqlite_note_error(s);
	sqlite_end_transaction(s);
	sqlite3_busy_timeout(s->db, is_drawn ? s->busy_timeout_ms : 0);
	int code = sqlite3_wal_checkpoint_v2(s->db, NULL,
	                                     SQLITE_CHECKPOINT_RESTART, NULL,
	                                     NULL);
	if (code != SQLITE_OK && !sqlite_is_locked_out(s))
		return sqlite_note_error(s);
	s->wal.touch_is_due = true;
	s->wal.held_since_ms = code == SQLITE_OK ? 0 : clock_monotonic_ms();
	sqlite3_busy_timeout(s->db, s->busy_timeout_ms);
	if (!folder_sync(s->paths.database))
		return fail_to_sync(s);
	return sqlite_is_in_place(s) ||
	       sqlite_fail(s, "the database was replaced a moment ago");
}

bool sqlite_empty_wal(struct sqlite_store *s)
{
	sqlite3_busy_timeout(s->db, s->busy_timeout_ms);
	return run_checkpoint(s, SQLITE_CHECKPOINT_TRUNCATE) ||
	       run_checkpoint(s, SQLITE_CHECKPOINT_PASSIVE);
}

void sqlite_finish_wal(struct sqlite_store *s)
{
	sqlite3_busy_timeout(s->db, FINISH_MS);
	if (commit_draw(s))
		run_checkpoint(s, SQLITE_CHECKPOINT_TRUNCATE);
}
