/* Opens a database, after finding out which database the side files beside it belong
 * to; and lets go of one that was moved, replaced or overwritten. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/journal.h"
#include "os/folder.h"
#include "store/sqlite/place.h"
#include "store/sqlite/private.h"
#include "store/sqlite/side_files.h"

enum {
	QUIET_MS = 1000,        /* a file is checked once it has not been written
	                         * to for so long */
	CHECK_AGAIN_MS = 30000, /* one that has failed a check, if nothing of it
	                         * changes */
	TRIES = 5, /* a checkpoint and a new begin of the WAL may fall between two
	            * looks at them */
};

static const struct timespec try_pause = {0, 20000000};

/* ---- What has to be true before it is opened ---- */

/* Creates the file, since SQLite would not let the group write. The side files get
 * the same mode. If it can't be created, SQLite will say why. */
static void create_file(const struct sqlite_store *s)
{
	int fd = open(s->paths.database, O_RDWR | O_CREAT | O_CLOEXEC, 0660);

	if (fd >= 0)
		close(fd);
}

static bool set_aside(struct sqlite_store *s, const char *why)
{
	return side_files_set_aside(&s->paths, why) ||
	       sqlite_fail(s, "the -wal beside it belongs to another file and can't "
	                      "be set aside: move it away");
}

/* A new log begins. Side files that exist belong to a database that was removed. */
static bool begin_log(struct sqlite_store *s)
{
	if (!set_aside(s, "its database is gone"))
		return false;
	if (!side_files_have_foreign_journal(&s->paths))
		unlink(s->paths.journal);
	else if (!file_set_aside(s->paths.journal, "gone", "its database is gone"))
		return sqlite_fail(s, "the -journal beside it belongs to a file that "
		                      "is gone: move it away");
	create_file(s);
	return true;
}

/* A log may begin in an empty file, unless there has just been a log in it. A reader
 * must not open it with SQLite, which would remove the WAL. */
static bool take_empty_file(struct sqlite_store *s)
{
	s->is_awaited = s->access == STORE_READ;
	if (s->is_awaited)
		return sqlite_fail(s, "the database is not set up yet: it is "
		                      "empty");
	if (s->place->had_log)
		return sqlite_fail(s, "the database is empty: put a backup in its "
		                      "place, or remove it to begin a new log");
	if (file_look_at(s->paths.journal).is_there)
		return true;
	return begin_log(s);
}

static bool refuse_journal(struct sqlite_store *s)
{
	return sqlite_fail(s, "the -journal beside it belongs to another file, or to "
	                      "another program that died: remove it if the database "
	                      "was put in place, else open it once with sqlite3");
}

/* Other processes have a database open under this name. If the side files belong to
 * this one, it is this one. If not, they opened another file before it was replaced,
 * and have not noticed. */
static bool join_others(struct sqlite_store *s, pid_t holder)
{
	enum side_files found = side_files_examine(&s->paths);

	sqlite_paths_mend_modes(&s->paths);
	for (int i = 0; i < TRIES && found == SIDE_FILES_FOREIGN; i++) {
		nanosleep(&try_pause, NULL);
		found = side_files_examine(&s->paths);
	}
	if (found != SIDE_FILES_FOREIGN)
		return true;
	snprintf(s->error, sizeof s->error,
	         "the -wal beside it belongs to another file, which process %ld "
	         "has open: stop that process", (long)holder);
	return false;
}

static enum check check(struct sqlite_store *s, const char *what)
{
	struct buffer why = {0};
	enum check found = side_files_check_database(&s->paths, &why);

	if (found != CHECK_SOUND)
		snprintf(s->error, sizeof s->error, "%s: %.*s", what,
		         TEXT_ARGS(buffer_text(&why)));
	buffer_release(&why);
	return found;
}

/* A reader changes no file. */
static bool examine_as_reader(struct sqlite_store *s)
{
	enum side_files found = side_files_examine(&s->paths);
	pid_t holder = file_shm_holder(s->paths.shm);

	if (side_files_have_foreign_journal(&s->paths))
		return refuse_journal(s);
	if (holder != 0) {
		snprintf(s->error, sizeof s->error,
		         "the -shm beside it is in use for another file by "
		         "process %ld", (long)holder);
		return false;
	}
	if (found == SIDE_FILES_FOREIGN)
		return sqlite_fail(s, "the -wal beside it belongs to another file: "
		                      "longroom-history sets it aside");
	return found != SIDE_FILES_IN_DOUBT ||
	       check(s, "it does not go with the -wal beside it") == CHECK_SOUND;
}

/* A WAL without a mark, as other programs and earlier versions leave it, can be
 * judged only by checking the whole database. */
static bool settle_doubt(struct sqlite_store *s)
{
	journal_info("checking whether %s belongs to its database",
	             s->paths.wal);
	enum check found = check(s, "it does not go with the -wal beside it");
	if (found != CHECK_DAMAGED)
		return found == CHECK_SOUND;
	return set_aside(s, s->error) && check(s, "damaged") == CHECK_SOUND;
}

static bool is_log(const struct sqlite_store *s)
{
	uint8_t head[DATABASE_HEAD_BYTES];
	struct database_head found;
	int fd = open(s->paths.database, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool good = fd >= 0 &&
	            pread(fd, head, sizeof head, 0) == (ssize_t)sizeof head &&
	            database_head_read(head, &found);

	if (fd >= 0)
		close(fd);
	return good && sqlite_is_our_application(&found);
}

/* No process has this database open. If there is a -shm nevertheless, it is in use
 * for another file, or not in use. */
static bool clear_as_writer(struct sqlite_store *s)
{
	enum side_files found = side_files_examine(&s->paths);
	bool good = true;

	sqlite_paths_mend_modes(&s->paths);
	if (side_files_have_foreign_journal(&s->paths))
		return refuse_journal(s);
	/* The database itself may be in the wrong place. */
	if (found == SIDE_FILES_FOREIGN && !is_log(s))
		return sqlite_fail(s, "not a Longroom database, and the -wal "
		                      "beside it belongs to another: put the right "
		                      "file in its place");
	if (found == SIDE_FILES_FOREIGN)
		good = set_aside(s, "it does not belong to the database in this "
		                    "place");
	unlink(s->paths.shm);
	if (found == SIDE_FILES_IN_DOUBT)
		good = settle_doubt(s);
	if (found == SIDE_FILES_NONE)
		side_files_bring_back(&s->paths);
	return good;
}

/* Opening a fifo would wait for a process at its other end. And where we may not
 * read the database we can't tell which one the files beside it belong to. */
static bool prepare_place(struct sqlite_store *s)
{
	struct file_look database = file_look_at(s->paths.database);
	pid_t holder;

	if (!sqlite_is_let_in(s))
		return false;
	if (database.is_there && sqlite_place_is_connected(s, &database))
		return true;
	if (sqlite_place_is_connected(s, NULL))
		return sqlite_fail(s, "the database was replaced a moment ago");
	if (!database.is_there)
		return s->access == STORE_READ || begin_log(s);
	if (database.bytes == 0)
		return take_empty_file(s);
	holder = file_database_holder(s->paths.database);
	if (holder != 0)
		return join_others(s, holder);
	return s->access == STORE_READ ? examine_as_reader(s)
	                               : clear_as_writer(s);
}

/* ---- After damage ---- */

/* Whether it has been left alone for a while since it last changed. */
static bool is_quiet(struct sqlite_place *place, const struct file_look *now)
{
	int64_t now_ms = clock_monotonic_ms();

	if (!file_is_untouched(&place->checked, now)) {
		place->checked = *now;
		place->checked_since_ms = now_ms;
		place->failed_ms = 0;
	}
	return now_ms - place->checked_since_ms >= QUIET_MS;
}

/* After damage was seen at a place, the whole database must pass a check, by the
 * writer if there is one. */
static bool pass_check(struct sqlite_store *s)
{
	struct sqlite_place *place = s->place;
	struct file_look now = file_look_at(s->paths.database);

	if (!sqlite_has_to_check(s))
		return true;
	if (!is_quiet(place, &now) ||
	    (place->failed_ms != 0 &&
	     clock_monotonic_ms() - place->failed_ms < CHECK_AGAIN_MS)) {
		snprintf(s->error, sizeof s->error, "damaged: %s", place->damage);
		return false;
	}
	if (check(s, "damaged, put a backup in its place") != CHECK_SOUND) {
		place->failed_ms = clock_monotonic_ms();
		return false;
	}
	journal_info("the database %s passed its integrity check: in use again",
	             place->path);
	atomic_store(&place->is_damaged, false);
	return true;
}

/* ---- Opening ---- */

static bool is_missing(const struct sqlite_store *s)
{
	return !file_look_at(s->paths.database).is_there;
}

static bool has_moved(struct sqlite_store *s)
{
	int moved = 0;

	return sqlite3_file_control(s->db, NULL, SQLITE_FCNTL_HAS_MOVED,
	                            &moved) != SQLITE_OK ||
	       moved;
}

/* If the WAL is empty, the -shm that other processes use must agree with the file;
 * otherwise it is the index of another file. */
static bool has_own_index(struct sqlite_store *s)
{
	int64_t pages, page_bytes;
	struct file_look database = file_look_at(s->paths.database);

	if (file_look_at(s->paths.wal).bytes != 0)
		return true;
	if (!sqlite_query_number(s, "PRAGMA page_count", &pages) ||
	    !sqlite_query_number(s, "PRAGMA page_size", &page_bytes))
		return sqlite_note_error(s);
	return pages * page_bytes == database.bytes ||
	       file_look_at(s->paths.wal).bytes != 0 ||
	       sqlite_fail(s, "the -shm beside it is in use for another file");
}

static bool set_up_connection(struct sqlite_store *s)
{
	struct mark mark;

	sqlite3_extended_result_codes(s->db, 1);
	sqlite3_busy_timeout(s->db, s->busy_timeout_ms);
	if (!sqlite_set_up_schema(s))
		return false;
	if (!sqlite_read_first(s, &s->first) || !sqlite_read_mark(s, &mark))
		return sqlite_note_error(s);
	incarnations_clear(&s->incarnations);
	s->data_version = -1;
	sqlite_see_files(s);
	if (has_moved(s))
		return sqlite_fail(s, "the database was replaced a moment ago");
	return has_own_index(s);
}

static bool open_it(struct sqlite_store *s)
{
	int flags = SQLITE_OPEN_NOMUTEX |
	            (s->access == STORE_READ
	                     ? SQLITE_OPEN_READONLY
	                     : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);

	if (sqlite3_open_v2(s->paths.database, &s->db, flags, NULL) != SQLITE_OK) {
		sqlite_note_error(s);
		s->is_awaited = is_missing(s) && errno == ENOENT;
		s->hopeless |= is_missing(s);
		return false;
	}
	if (s->access == STORE_WRITE)
		sqlite_watch_wal(s);
	return set_up_connection(s);
}

bool sqlite_open_database(struct sqlite_store *s)
{
	s->hopeless = s->is_awaited = false;
	sqlite_paths_find(&s->paths, s->path);
	bool good = prepare_place(s) && pass_check(s) && open_it(s);
	if (good)
		s->place->had_log = true;
	else
		sqlite_disconnect(s);
	return good;
}

/* ---- Letting go ---- */

/* The WAL and its index that were ours, if they are still under their names. */
static void clear_own_files(struct sqlite_store *s, bool is_emptied)
{
	struct file_look wal = file_look_at(s->paths.wal);
	struct file_look shm = file_look_at(s->paths.shm);
	bool has_wal = wal.is_there && file_is_same(&wal, &s->seen.wal);
	int lock;

	if (!sqlite_lock_folder(s, &lock))
		return;
	if (has_wal && is_emptied)
		unlink(s->paths.wal);
	else if (has_wal)
		side_files_set_aside(&s->paths, "its database was replaced while it "
		                                "was open");
	if (shm.is_there && file_is_same(&shm, &s->seen.shm))
		unlink(s->paths.shm);
	folder_unlock(lock);
}

static void tell_moved(const struct sqlite_store *s, bool is_emptied)
{
	journal_warning("database removed or replaced: %s: %s", s->paths.database,
	                is_emptied ? "all saved messages are in the old file"
	                           : "some saved messages are only in the old "
	                             "file's -wal: keep both files");
}

static void tell_written_over(const struct sqlite_store *s)
{
	sqlite_place_damage(s->place, "it was written over, or cut, while it was "
	                              "open");
}

/* The process's other connections also hold the files, and would keep the checkpoint
 * from completing. */
static void let_go_as_writer(struct sqlite_store *s, enum own_file is_own,
                             bool is_moved)
{
	bool is_emptied = false;

	if (is_own != FILE_IS_FOREIGN && !is_moved)
		return;
	sqlite_place_revoke(s);
	if (is_own == FILE_IS_OWN)
		is_emptied = sqlite_empty_wal(s);
	sqlite_disconnect(s);
	clear_own_files(s, is_emptied);
	if (is_moved)
		tell_moved(s, is_emptied);
}

void sqlite_let_go(struct sqlite_store *s)
{
	enum own_file is_own = sqlite_is_own_file(s);
	struct sqlite_seen now;
	bool is_moved = sqlite_files_differ(s, &now);

	if (is_own == FILE_IS_FOREIGN &&
	    file_is_same(&now.database, &s->seen.database))
		tell_written_over(s);
	if (s->access == STORE_WRITE)
		let_go_as_writer(s, is_own, is_moved);
	sqlite_disconnect(s);
}
