/* Examines the files at a database's path: whether they can ever be used. Changes
 * and creates nothing, unlike even SQLite's read-only connections.
 *
 * Failures that pass by themselves, or when a disk is repaired, are not judged here:
 * they show when a connection is made. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "os/refusal.h"
#include "store/sqlite/private.h"
#include "store/sqlite/side_files.h"

/* Errors that do not go away with time. */
static bool is_final(int error)
{
	return error == EACCES || error == EPERM || error == ENOTDIR ||
	       error == ELOOP || error == ENAMETOOLONG;
}

static enum store_prospect examine_refuse(const char *path, int use, int error,
                                          struct buffer *found)
{
	refusal_explain(path, use, error, found);
	return is_final(error) ? STORE_UNUSABLE : STORE_UNSURE;
}

/* ---- The way to it ---- */

static enum store_prospect judge_folder_of(const char *path, struct buffer *found)
{
	char *copy = memory_copy(path, strlen(path));
	const char *folder = dirname(copy);
	enum store_prospect prospect =
		path_lets_us(folder, W_OK) ? STORE_USABLE
	                                   : examine_refuse(folder, W_OK, errno, found);

	free(copy);
	return prospect;
}

/* SQLite keeps files beside it: the longest of their names has "-journal" behind. */
static enum store_prospect judge_name(const struct sqlite_store *s,
                                      struct buffer *found)
{
	enum { BEHIND_BYTES = sizeof "-journal" - 1 };
	const char *path = s->paths.database;
	size_t size = strlen(path), name_size = strlen(strrchr(path, '/') + 1);
	size_t most = (size_t)sqlite3_vfs_find(NULL)->mxPathname - BEHIND_BYTES;

	if (size > most)
		buffer_printf(found, "%zu bytes of a path, where SQLite takes %zu: %s",
		              size, most, strerror(ENAMETOOLONG));
	else if (name_size > NAME_MAX - BEHIND_BYTES)
		buffer_printf(found, "%zu bytes of a name, which needs room for %d "
		              "more: %s", name_size, BEHIND_BYTES,
		              strerror(ENAMETOOLONG));
	else
		return STORE_USABLE;
	return STORE_UNUSABLE;
}

/* A writer makes a database, but no folder. */
static enum store_prospect judge_missing(const struct sqlite_store *s,
                                         const struct path_walk *walk,
                                         struct buffer *found)
{
	if (walk->is_last && judge_name(s, found) != STORE_USABLE)
		return STORE_UNUSABLE;
	if (s->access == STORE_READ)
		buffer_add_string(found, "there is none yet: ");
	if (!walk->is_last) {
		buffer_printf(found, "%s: %s: make the folder, or mount what has "
		              "it, before longroom-history starts",
		              walk->at.data, strerror(walk->error));
		return s->access == STORE_READ ? STORE_UNSURE : STORE_UNUSABLE;
	}
	if (s->access == STORE_READ) {
		buffer_add_string(found, "longroom-history makes it");
		return STORE_UNSURE;
	}
	if (judge_folder_of(walk->at.data, found) != STORE_USABLE)
		return STORE_UNUSABLE;
	buffer_add_string(found, "there is none yet: the start makes it");
	return STORE_USABLE;
}

static enum store_prospect judge_way(const struct sqlite_store *s,
                                     const struct path_walk *walk,
                                     struct buffer *found)
{
	if (walk->error == ENOENT)
		return judge_missing(s, walk, found);
	if (walk->error == EACCES || walk->error == EPERM)
		return examine_refuse(walk->at.data, X_OK, walk->error, found);
	buffer_printf(found, "%s: %s", walk->at.data, strerror(walk->error));
	return is_final(walk->error) ? STORE_UNUSABLE : STORE_UNSURE;
}

/* ---- The files ---- */

static enum store_prospect judge_file(const struct sqlite_store *s, const char *path,
                                      struct buffer *found)
{
	struct stat status;

	if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
		if (S_ISDIR(status.st_mode))
			buffer_printf(found, "%s: %s", path, strerror(EISDIR));
		else
			buffer_add_string(found, "not a regular file");
		return STORE_UNUSABLE;
	}
	return path_lets_us(path, R_OK) ? judge_name(s, found)
	                                : examine_refuse(path, R_OK, errno, found);
}

/* A WAL that we own gets the database's mode when a writer opens the database. Where
 * a new log begins, an existing WAL is set aside. */
static enum store_prospect judge_wal(const struct sqlite_store *s, int use,
                                     struct buffer *found)
{
	const char *path = s->paths.wal;
	struct stat status;

	if (stat(path, &status) != 0 || status.st_uid == geteuid() ||
	    file_look_at(s->paths.database).bytes == 0)
		return STORE_USABLE;
	if (!path_lets_us(path, R_OK))
		return examine_refuse(path, R_OK, errno, found);
	return path_lets_us(path, use) ? STORE_USABLE
	                               : examine_refuse(path, use, errno, found);
}

/* A reader needs the side files too. The writer may still create or replace them. */
static enum store_prospect judge_rest_of_reader(const struct sqlite_store *s,
                                                const char *path,
                                                struct buffer *found)
{
	const char *shm = s->paths.shm;
	enum store_prospect prospect = judge_wal(s, R_OK, found);

	if (prospect == STORE_USABLE && !path_lets_us(shm, W_OK))
		prospect = errno == ENOENT ? judge_folder_of(path, found)
		                           : examine_refuse(shm, W_OK, errno, found);
	return prospect == STORE_USABLE ? STORE_USABLE : STORE_UNSURE;
}

/* Then SQLite makes none in the folder. */
static bool has_side_files(const struct sqlite_store *s)
{
	return path_lets_us(s->paths.wal, W_OK) &&
	       path_lets_us(s->paths.shm, W_OK);
}

/* Another user's -shm is replaced if no process uses it; so is the file that records
 * how far the log was acknowledged. */
static enum store_prospect judge_rest_of_writer(const struct sqlite_store *s,
                                                const char *path,
                                                struct buffer *found)
{
	enum store_prospect prospect;

	if (!path_lets_us(path, W_OK))
		return examine_refuse(path, W_OK, errno, found);
	prospect = has_side_files(s) ? STORE_USABLE
	                             : judge_folder_of(path, found);
	return prospect == STORE_USABLE ? judge_wal(s, W_OK, found) : prospect;
}

static enum store_prospect judge_rest(const struct sqlite_store *s,
                                      const char *path, struct buffer *found)
{
	return s->access == STORE_WRITE ? judge_rest_of_writer(s, path, found)
	                                : judge_rest_of_reader(s, path, found);
}

/* ---- What is in it ---- */

static enum store_prospect judge_content(const struct sqlite_store *s,
                                         struct buffer *found)
{
	uint8_t head[SCHEMA_HEAD_BYTES];
	int fd = open(s->paths.database, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t size = fd >= 0 ? pread(fd, head, sizeof head, 0) : -1;
	int why = errno;

	if (fd >= 0)
		close(fd);
	if (size < 0)
		return examine_refuse(s->paths.database, R_OK, why, found);
	/* What SQLite reads, for it may not have reached the file yet. */
	if (side_files_find_head(&s->paths, head, sizeof head))
		size = sizeof head;
	return sqlite_judge_head(head, (size_t)size, s->access, found);
}

/* The first file that can't be used decides. If all can be used, the first that is
 * in doubt does. */
static enum store_prospect judge_all(const struct sqlite_store *s,
                                     const char *path, struct buffer *found)
{
	struct buffer content = {0};
	enum store_prospect prospect = judge_file(s, path, found), inside;

	if (prospect != STORE_USABLE)
		return prospect;
	inside = judge_content(s, &content);
	prospect = inside == STORE_UNUSABLE ? STORE_USABLE
	                                    : judge_rest(s, path, found);
	if (prospect == STORE_USABLE) {
		buffer_add_text(found, buffer_text(&content));
		prospect = inside;
	}
	buffer_release(&content);
	return prospect;
}

enum store_prospect sqlite_examine(void *connection, struct buffer *found)
{
	struct sqlite_store *s = connection;
	struct path_walk walk = {0};

	sqlite_paths_find(&s->paths, s->path);
	path_walk(&walk, s->path);
	enum store_prospect prospect =
		walk.error == 0 ? judge_all(s, walk.at.data, found)
	                        : judge_way(s, &walk, found);
	buffer_release(&walk.at);
	return prospect;
}

enum store_prospect sqlite_find_refusal(const struct sqlite_store *s,
                                        struct buffer *why)
{
	struct path_walk walk = {0};
	enum store_prospect prospect;

	path_walk(&walk, s->path);
	if (walk.error != 0) {
		prospect = judge_way(s, &walk, why);
	} else {
		prospect = judge_file(s, walk.at.data, why);
		if (prospect == STORE_USABLE)
			prospect = judge_rest(s, walk.at.data, why);
	}
	buffer_release(&walk.at);
	return prospect;
}
