#include "store/sqlite/side_files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/journal.h"
#include "base/memory.h"
#include "os/refusal.h"
#include "store/sqlite/private.h"
#include "store/sqlite/wal.h"

/* ---- Which database a WAL belongs to ---- */

/* A database and a WAL, as files, and what was found in them. */
struct pair {
	int database, wal;
	struct database_head head;
	struct mark mark;   /* the database's */
	bool has_mark;
	uint32_t page;      /* ... was looked for here, where the WAL has its */
	/* Found in the WAL's commits: */
	bool has_commit;    /* it would be applied */
	bool has_mark_in_wal;
	struct mark first;
	bool has_same;      /* the database's mark */
	bool has_cookie;    /* ... or its cookie, in a mark or a first page */
};

static bool read_at(int fd, uint64_t at, void *bytes, size_t size)
{
	return pread(fd, bytes, size, (off_t)at) == (ssize_t)size;
}

static bool read_head(int fd, struct database_head *head)
{
	uint8_t bytes[DATABASE_HEAD_BYTES];

	return read_at(fd, 0, bytes, sizeof bytes) &&
	       database_head_read(bytes, head);
}

/* The database's own mark stands in the same page as the WAL's, which VACUUM may
 * have moved on the way. */
static void look_for_mark(struct pair *pair, uint32_t page)
{
	uint32_t size = pair->head.page_bytes;
	uint8_t *bytes = memory_get(size);

	pair->page = page;
	if (read_at(pair->database, (uint64_t)(page - 1) * size, bytes, size) &&
	    mark_read_page(bytes, size, &pair->mark))
		pair->has_mark = true;
	free(bytes);
}

static bool goes_on_from(const struct mark *mark, const struct database_head *head)
{
	return mark->turn > 0 && mark->before.origin == 0 &&
	       mark->before.count == head->cookie;
}

/* A commit of the WAL has a mark. If it is the WAL's first and was drawn there,
 * a database that the checkpoint has not reached has the one before it. */
static void take_mark(struct pair *pair, const struct wal_walk *walk)
{
	bool is_first = !pair->has_mark_in_wal;

	if (is_first)
		pair->first = walk->latest;
	pair->has_mark_in_wal = true;
	if (pair->page != walk->latest_page && pair->database >= 0)
		look_for_mark(pair, walk->latest_page);
	if (!pair->has_mark)
		return;
	if (life_equal(walk->latest.now, pair->mark.now) ||
	    (is_first && walk->latest.turn == 0 &&
	     life_equal(walk->latest.before, pair->mark.now)))
		pair->has_same = true;
	if (walk->latest.cookie == pair->head.cookie ||
	    goes_on_from(&walk->latest, &pair->head))
		pair->has_cookie = true;
}

/* Whether no more of the WAL can change what is found. */
static bool is_decided(const struct pair *pair)
{
	return pair->has_same && pair->mark.cookie == pair->head.cookie;
}

static void walk_over_wal(struct pair *pair, struct wal_walk *walk)
{
	size_t size = WAL_FRAME_BYTES + walk->page_bytes;
	uint8_t *frame = memory_get(size);
	uint64_t at = WAL_HEADER_BYTES;

	for (; !is_decided(pair) && read_at(pair->wal, at, frame, size);
	     at += size) {
		enum wal_frame kind = wal_walk_frame(walk, frame);

		if (kind == WAL_FRAME_END)
			break;
		if (kind != WAL_FRAME_COMMIT)
			continue;
		pair->has_commit = true;
		if (walk->has_cookie && walk->cookie == pair->head.cookie)
			pair->has_cookie = true;
		if (walk->has_latest)
			take_mark(pair, walk);
		walk->has_latest = false;
	}
	free(frame);
}

/* SQLite changes the cookie of a copy that it makes. It also does so when the
 * schema changes, and then the WAL has the new one, or its next mark has. */
static enum side_files judge(const struct pair *pair)
{
	if (!pair->has_mark_in_wal)
		return SIDE_FILES_IN_DOUBT;
	/* Of the commit that gives the log its first mark the file knows nothing,
	 * or only a part. */
	if (pair->first.now.count == 0 &&
	    (!pair->has_mark || pair->mark.now.count == 0))
		return SIDE_FILES_IN_DOUBT;
	if (!pair->has_mark || !pair->has_same)
		return SIDE_FILES_FOREIGN;
	if (pair->mark.cookie == pair->head.cookie)
		return SIDE_FILES_OURS;
	return pair->has_cookie ? SIDE_FILES_IN_DOUBT : SIDE_FILES_FOREIGN;
}

static enum side_files examine_pair(struct pair *pair)
{
	uint8_t head[WAL_HEADER_BYTES];
	struct wal_walk walk;

	if (!read_at(pair->wal, 0, head, sizeof head) ||
	    !wal_walk_begin(&walk, head))
		return SIDE_FILES_NONE;
	if (!read_head(pair->database, &pair->head))
		pair->head.page_bytes = walk.page_bytes;
	bool fits = pair->head.page_bytes == walk.page_bytes;
	walk_over_wal(pair, &walk);
	if (!pair->has_commit)
		return SIDE_FILES_NONE;
	return fits ? judge(pair) : SIDE_FILES_FOREIGN;
}

/* The name of the log that the WAL belongs to, as far as it is known, goes to
 * tag. */
static enum side_files examine(const struct sqlite_paths *paths, struct buffer *tag)
{
	struct pair pair = {
		.database = open(paths->database, O_RDONLY | O_CLOEXEC | O_NONBLOCK),
		.wal = open(paths->wal, O_RDONLY | O_CLOEXEC | O_NONBLOCK),
	};
	enum side_files found = SIDE_FILES_NONE;

	if (pair.wal >= 0)
		found = examine_pair(&pair);
	buffer_clear(tag);
	if (pair.has_mark_in_wal)
		buffer_printf(tag, "%016" PRIx64, pair.first.now.origin);
	else
		buffer_add_string(tag, "unmarked");
	buffer_add(tag, "", 1);
	if (pair.database >= 0)
		close(pair.database);
	if (pair.wal >= 0)
		close(pair.wal);
	return found;
}

enum side_files side_files_examine(const struct sqlite_paths *paths)
{
	struct buffer tag = {0};
	enum side_files found = examine(paths, &tag);

	buffer_release(&tag);
	return found;
}

/* Of the last commit that has the first page. */
static bool find_head_in(int wal, uint8_t *head, size_t size)
{
	uint8_t bytes[WAL_HEADER_BYTES], latest[WAL_PAGE_MIN];
	struct wal_walk walk;
	enum wal_frame kind;
	bool is_latest = false, found = false;

	if (!read_at(wal, 0, bytes, sizeof bytes) ||
	    !wal_walk_begin(&walk, bytes))
		return false;
	size_t frame_size = WAL_FRAME_BYTES + walk.page_bytes;
	uint8_t *frame = memory_get(frame_size);
	for (uint64_t at = WAL_HEADER_BYTES;
	     read_at(wal, at, frame, frame_size) &&
	     (kind = wal_walk_frame(&walk, frame)) != WAL_FRAME_END;
	     at += frame_size) {
		if (wal_frame_page(frame) == 1) {
			memcpy(latest, frame + WAL_FRAME_BYTES, sizeof latest);
			is_latest = true;
		}
		if (kind == WAL_FRAME_COMMIT && is_latest) {
			memcpy(head, latest, size);
			found = true;
		}
	}
	free(frame);
	return found;
}

bool side_files_find_head(const struct sqlite_paths *paths, uint8_t *head,
                          size_t size)
{
	bool is_foreign = side_files_examine(paths) == SIDE_FILES_FOREIGN;
	int wal = is_foreign ? -1
	                     : open(paths->wal, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool found = wal >= 0 && find_head_in(wal, head, size);

	if (wal >= 0)
		close(wal);
	return found;
}

/* Whether the WAL has both, and the older one behind the newer. */
static bool goes_back(int wal, struct wal_walk *walk, struct life newer,
                      struct life older)
{
	size_t size = WAL_FRAME_BYTES + walk->page_bytes;
	uint8_t *frame = memory_get(size);
	bool has_older = false, has_newer = false;

	for (uint64_t at = WAL_HEADER_BYTES; read_at(wal, at, frame, size) &&
	     wal_walk_frame(walk, frame) != WAL_FRAME_END; at += size) {
		if (!walk->has_latest)
			continue;
		has_older = has_older || life_equal(walk->latest.now, older);
		has_newer = has_newer || (has_older &&
		                          life_equal(walk->latest.now, newer));
		walk->has_latest = false;
	}
	free(frame);
	return has_newer;
}

enum side_files side_files_examine_open(const struct sqlite_paths *paths,
                                        const struct database_head *head,
                                        const struct mark *mark,
                                        struct life before)
{
	struct pair pair = {
		.database = -1,
		.wal = open(paths->wal, O_RDONLY | O_CLOEXEC | O_NONBLOCK),
		.head = *head,
		.mark = *mark,
		.has_mark = true,
	};
	uint8_t bytes[WAL_HEADER_BYTES];
	enum side_files found = SIDE_FILES_NONE;
	struct wal_walk walk, again;

	if (pair.wal < 0)
		return SIDE_FILES_NONE;
	if (read_at(pair.wal, 0, bytes, sizeof bytes) &&
	    wal_walk_begin(&walk, bytes)) {
		again = walk;
		walk_over_wal(&pair, &walk);
		found = pair.has_commit ? judge(&pair) : SIDE_FILES_NONE;
		if (!life_equal(before, mark->now) &&
		    goes_back(pair.wal, &again, before, mark->now))
			found = SIDE_FILES_FOREIGN;
	}
	close(pair.wal);
	return found;
}

/* ---- Rollback journals ---- */

static bool examine_journal(int database, int fd)
{
	enum { HAVE_MOST = 2 * WAL_PAGE_MAX + 64 };
	uint8_t *journal = memory_get(HAVE_MOST), *page = memory_get(WAL_PAGE_MAX);
	struct database_head head;
	struct stat journal_status = {0}, status = {0};
	ssize_t have = pread(fd, journal, HAVE_MOST, 0);
	bool foreign = false;

	if (fstat(fd, &journal_status) == 0 && have > 0 &&
	    journal_is_hot(journal, (size_t)have)) {
		bool has_page = read_head(database, &head) &&
		                read_at(database, 0, page, head.page_bytes);
		fstat(database, &status);
		foreign = !journal_is_of_mode_change(
				  journal, (size_t)have,
				  (uint64_t)journal_status.st_size,
				  has_page ? page : NULL,
				  has_page ? head.page_bytes : 0,
				  (uint64_t)status.st_size);
	}
	free(journal);
	free(page);
	return foreign;
}

bool side_files_have_foreign_journal(const struct sqlite_paths *paths)
{
	int journal = open(paths->journal, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (journal < 0)
		return false;
	int database = open(paths->database, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool foreign = examine_journal(database, journal);
	if (database >= 0)
		close(database);
	close(journal);
	return foreign;
}

/* ---- What becomes of them ---- */

static int take_line(void *why, int columns, char **values, char **names)
{
	(void)names;
	if (columns == 1 && values[0] != NULL && strcmp(values[0], "ok") != 0)
		buffer_add_string(why, values[0]);
	return 0;
}

static bool is_by_system(int code)
{
	return (code & 0xff) == SQLITE_CANTOPEN || (code & 0xff) == SQLITE_IOERR;
}

enum check side_files_check_database(const struct sqlite_paths *paths,
                                     struct buffer *why)
{
	sqlite3 *db = NULL;
	int code = sqlite3_open_v2(paths->database, &db,
	                           SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);

	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_exec(db, "PRAGMA integrity_check(1)", take_line, why,
		                    NULL);
	if (code != SQLITE_OK)
		buffer_add_string(why, sqlite3_errmsg(db));
	if (is_by_system(code))
		buffer_printf(why, ": %s", strerror(sqlite3_system_errno(db)));
	sqlite3_close(db);
	if (code == SQLITE_OK)
		return why->size == 0 ? CHECK_SOUND : CHECK_DAMAGED;
	return sqlite_is_damage(code) ? CHECK_DAMAGED : CHECK_FAILED;
}

static bool remove_file(const char *path)
{
	if (unlink(path) == 0 || errno == ENOENT)
		return true;
	journal_error("can't remove %s: %s", path, strerror(errno));
	return false;
}

/* A file that may not be read is unknown. */
static bool may_be_read(const char *path)
{
	return file_look_at(path).bytes == 0 || path_lets_us(path, R_OK);
}

bool side_files_set_aside(const struct sqlite_paths *paths, const char *why)
{
	struct buffer tag = {0};
	bool is_empty = examine(paths, &tag) == SIDE_FILES_NONE &&
	                may_be_read(paths->wal);
	bool good = is_empty ? remove_file(paths->wal)
	                     : file_set_aside(paths->wal, tag.data, why);

	buffer_release(&tag);
	return good && remove_file(paths->shm);
}

/* The mark of a database of which no page is known: any page may have it. */
static bool find_mark(int fd, struct mark *mark)
{
	enum { PAGES_MOST = 64 }; /* the tables are made in the first ones */
	struct database_head head;
	bool found = false;

	if (!read_head(fd, &head))
		return false;
	uint8_t *page = memory_get(head.page_bytes);
	for (uint64_t i = 1; !found && i < PAGES_MOST; i++)
		found = read_at(fd, i * head.page_bytes, page, head.page_bytes) &&
		        mark_read_page(page, head.page_bytes, mark);
	free(page);
	return found;
}

/* Another program may have written to the database meanwhile. */
static void try_to_bring_back(const struct sqlite_paths *paths, const char *aside)
{
	struct buffer why = {0};

	if (rename(aside, paths->wal) != 0)
		return;
	if (side_files_check_database(paths, &why) == CHECK_SOUND)
		journal_warning("brought back: %s is now %s: it belongs to %s",
		                aside, paths->wal, paths->database);
	else if (rename(paths->wal, aside) != 0)
		journal_error("can't set aside %s: %s", paths->wal,
		              strerror(errno));
	remove_file(paths->shm);
	buffer_release(&why);
}

void side_files_bring_back(const struct sqlite_paths *paths)
{
	struct buffer name = {0};
	struct sqlite_paths pair = *paths;
	struct mark mark;
	int fd = open(paths->database, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool has_mark = fd >= 0 && find_mark(fd, &mark);

	if (fd >= 0)
		close(fd);
	if (!has_mark)
		return;
	buffer_printf(&name, "%s.aside-%016" PRIx64, paths->wal, mark.now.origin);
	buffer_add(&name, "", 1);
	pair.wal = name.data;
	if (access(pair.wal, F_OK) == 0 &&
	    side_files_examine(&pair) == SIDE_FILES_OURS)
		try_to_bring_back(paths, pair.wal);
	buffer_release(&name);
}
