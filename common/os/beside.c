/* For the locks of descriptors, F_OFD_SETLK. */
#define _GNU_SOURCE
#include "os/beside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"

char *beside_path(const char *database, const char *suffix)
{
	struct buffer path = {0};

	buffer_printf(&path, "%s%s", database, suffix);
	buffer_add(&path, "", 1);
	return path.data;
}

void beside_init(struct beside *file, const char *database, const char *suffix)
{
	*file = (struct beside){
		.database = memory_copy(database, strlen(database)),
		.path = beside_path(database, suffix),
		.fd = -1,
	};
}

static void close_file(struct beside *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

void beside_release(struct beside *file)
{
	close_file(file);
	free(file->database);
	free(file->path);
}

/* Sets mode and owner whatever the umask: the file is for the database's user, even
 * if another user restores the database. */
static void give_to_owner(const struct beside *file, int fd)
{
	struct stat database;
	bool done = fchmod(fd, 0660) == 0;

	if (geteuid() == 0 && stat(file->database, &database) == 0)
		done = fchown(fd, database.st_uid, database.st_gid) == 0;
	/* If it fails, a process that can't open the file will report that. */
	(void)done;
}

static int make(const struct beside *file)
{
	int fd = open(file->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0660);

	if (fd >= 0)
		give_to_owner(file, fd);
	return fd;
}

/* Does not follow links: another user with write access to the folder could link to
 * a file that only we may write to. */
static int open_to_write(const struct beside *file)
{
	return open(file->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
}

/* Replaces a file that another user owns and that we may not write to. We may write
 * to the folder, or SQLite could not work in it. */
static int open_or_make(const struct beside *file)
{
	int fd = open_to_write(file);

	if (fd < 0 && (errno == EACCES || errno == EPERM) &&
	    unlink(file->path) != 0)
		return -1;
	if (fd < 0)
		fd = make(file);
	/* Another process has just made it. */
	if (fd < 0 && errno == EEXIST)
		fd = open_to_write(file);
	return fd;
}

static bool take_descriptor(struct beside *file, int fd)
{
	struct stat status;

	file->fd = fd;
	if (fd >= 0 && fstat(fd, &status) == 0) {
		file->device = status.st_dev;
		file->inode = status.st_ino;
	}
	return fd >= 0;
}

bool beside_open(struct beside *file)
{
	close_file(file);
	return take_descriptor(file, open_or_make(file));
}

bool beside_open_to_read(struct beside *file)
{
	close_file(file);
	return take_descriptor(
		file, open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
}

bool beside_is_in_place(const struct beside *file)
{
	struct stat status;

	return file->fd >= 0 && stat(file->path, &status) == 0 &&
	       status.st_dev == file->device && status.st_ino == file->inode;
}

static struct flock byte_at(short kind, off_t at)
{
	return (struct flock){
		.l_type = kind, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};
}

bool beside_lock(const struct beside *file, short kind, off_t at)
{
	struct flock lock = byte_at(kind, at);

	return fcntl(file->fd, F_OFD_SETLK, &lock) == 0;
}

bool beside_is_locked(const struct beside *file, off_t at)
{
	struct flock lock = byte_at(F_RDLCK, at);

	return fcntl(file->fd, F_OFD_GETLK, &lock) == 0 &&
	       lock.l_type != F_UNLCK;
}
