#define _GNU_SOURCE 1 /* realpath */

#include "store/sqlite/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/journal.h"
#include "os/beside.h"
#include "os/refusal.h"

/* Where SQLite's unix VFS puts its locks. */
enum {
	DATABASE_LOCKS_AT = 0x40000000,
	DATABASE_LOCKS_BYTES = 512,
	SHM_ALIVE_AT = 128, /* held as long as the -shm is mapped */
	NAMES_MAX = 1000,   /* tried, to set a file aside */
};

void sqlite_paths_find(struct sqlite_paths *paths, const char *database)
{
	char *real = realpath(database, NULL);
	struct path_walk walk = {0};

	/* A link may lead to one that is still to be made. */
	if (real == NULL)
		path_walk(&walk, database);
	if (walk.error == ENOENT && walk.is_last)
		database = walk.at.data;
	sqlite_paths_release(paths);
	paths->database = beside_path(real != NULL ? real : database, "");
	buffer_release(&walk.at);
	paths->wal = beside_path(paths->database, "-wal");
	paths->shm = beside_path(paths->database, "-shm");
	paths->journal = beside_path(paths->database, "-journal");
	free(real);
}

void sqlite_paths_release(struct sqlite_paths *paths)
{
	free(paths->database);
	free(paths->wal);
	free(paths->shm);
	free(paths->journal);
}

struct file_look file_look_at(const char *path)
{
	struct stat status;

	if (stat(path, &status) != 0)
		return (struct file_look){0};
	return (struct file_look){
		.is_there = true,
		.device = status.st_dev,
		.inode = status.st_ino,
		.bytes = status.st_size,
		.modified = status.st_mtim,
		.changed = status.st_ctim,
	};
}

bool file_is_same(const struct file_look *a, const struct file_look *b)
{
	return a->is_there == b->is_there && a->device == b->device &&
	       a->inode == b->inode;
}

static bool is_same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool file_is_untouched(const struct file_look *a, const struct file_look *b)
{
	return file_is_same(a, b) && a->bytes == b->bytes &&
	       is_same_time(a->modified, b->modified) &&
	       is_same_time(a->changed, b->changed);
}

static pid_t holder_of(const char *path, off_t at, off_t bytes)
{
	struct flock lock = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = at,
		.l_len = bytes,
	};
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return 0;
	bool held = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
	close(fd);
	return held ? lock.l_pid : 0;
}

pid_t file_database_holder(const char *path)
{
	return holder_of(path, DATABASE_LOCKS_AT, DATABASE_LOCKS_BYTES);
}

pid_t file_shm_holder(const char *path)
{
	return holder_of(path, SHM_ALIVE_AT, 1);
}

/* A name that nothing has yet; what was set aside before stays. */
static void find_free_name(const char *path, const char *tag, struct buffer *name)
{
	struct stat status;
	int n = 1;

	do {
		buffer_clear(name);
		buffer_printf(name, "%s.aside-%s", path, tag);
		if (n > 1)
			buffer_printf(name, "-%d", n);
		buffer_add(name, "", 1);
	} while (lstat(name->data, &status) == 0 && ++n < NAMES_MAX);
}

bool file_set_aside(const char *path, const char *tag, const char *why)
{
	struct buffer name = {0};

	find_free_name(path, tag, &name);
	bool good = rename(path, name.data) == 0;
	if (good)
		journal_warning("set aside: %s is now %s: %s", path, name.data,
		                why);
	else
		journal_error("can't set aside %s: %s", path, strerror(errno));
	buffer_release(&name);
	return good;
}

static void mend_mode(const char *path, mode_t wanted)
{
	struct stat status;

	if (stat(path, &status) != 0 || (status.st_mode & 0666) == wanted)
		return;
	if (chmod(path, wanted) == 0)
		journal_info("%s has mode %04o now, as its database has", path,
		             (unsigned)wanted);
}

void sqlite_paths_mend_modes(const struct sqlite_paths *paths)
{
	struct stat status;

	if (stat(paths->database, &status) != 0)
		return;
	mend_mode(paths->wal, status.st_mode & 0666);
	mend_mode(paths->shm, status.st_mode & 0666);
}
