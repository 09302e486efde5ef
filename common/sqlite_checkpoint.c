/* The WAL into the database. SQLite would do so by itself after every commit that
 * leaves 1,000 frames; but the mark has to be drawn before that. */
#include <errno.h>
#include <string.h>

#include "folder.h"
#include "sqlite_private.h"

enum {
	CHECKPOINT_FRAMES = 1000,
	AGAIN_FRAMES = 100, /* after one that was held up */
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
	s->wal = (struct sqlite_wal){.checkpoint_from = CHECKPOINT_FRAMES};
	sqlite3_wal_hook(s->db, count_frames, s);
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
		wal->checkpoint_from = CHECKPOINT_FRAMES;
	} else {
		wal->checkpoint_from = wal->frames + AGAIN_FRAMES;
	}
	/* It was us who changed the file. */
	sqlite_is_in_place(s);
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

/* What a process that died, or a sync that failed, has left in the WAL can be
 * read, but is perhaps not on disk, and no later sync of the WAL need bring it
 * there; yet whatever is appended to the WAL would stand on it, and a repeated
 * client_id be answered from it. So all of it goes into the database, and the
 * WAL begins anew. Who has a lock meanwhile had the database open before, and
 * what is read through the WAL that it has open was synced.
 *
 * SQLite does not look whether the folder's sync succeeds. */
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
	sqlite3_busy_timeout(s->db, s->busy_timeout_ms);
	if (!folder_sync(s->path))
		return sqlite_fail(s, strerror(errno));
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
