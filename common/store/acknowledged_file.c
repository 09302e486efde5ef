/* For the locks of descriptors, F_OFD_SETLK. */
#define _GNU_SOURCE
#include "store/acknowledged_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/journal.h"
#include "base/memory.h"

/* The bytes that are locked: behind the record, where nothing is. */
enum { HELD_AT = 1024, WRITTEN_AT = 1025 };

/* Whoever writes it takes microseconds. */
enum { WRITE_TRIES = 50, WRITE_TRY_MS = 2 };

struct acknowledged_file {
	char *database, *path;
	int fd; /* -1: not open */
	dev_t device;
	ino_t inode;
	bool is_held;
	bool failing; /* said so already */
	char line[ACKNOWLEDGED_SIZE]; /* the last that was written here */
};

static char *path_of(const char *database)
{
	struct buffer path = {0};

	buffer_printf(&path, "%s-acknowledged", database);
	buffer_add(&path, "", 1);
	return path.data;
}

/* One byte more than a record has, to see whether the file has more. */
enum { LINE_ROOM = ACKNOWLEDGED_SIZE + 1 };

static struct text read_line(int fd, char line[LINE_ROOM])
{
	ssize_t size = pread(fd, line, LINE_ROOM, 0);

	return (struct text){line, size > 0 ? (size_t)size : 0};
}

bool acknowledged_file_read(const char *database, struct acknowledged *record)
{
	char *path = path_of(database);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char line[LINE_ROOM];
	bool found = fd >= 0 && acknowledged_parse(read_line(fd, line), record);

	if (fd >= 0)
		close(fd);
	free(path);
	return found;
}

/* Whatever the umask is; and for the database's user, who need not be the one
 * who restores it. */
static void give_to_owner(const struct acknowledged_file *file, int fd)
{
	struct stat database;
	bool done = fchmod(fd, 0660) == 0;

	if (geteuid() == 0 && stat(file->database, &database) == 0)
		done = fchown(fd, database.st_uid, database.st_gid) == 0;
	/* If not, those who can't open it will say so. */
	(void)done;
}

static int make(const struct acknowledged_file *file)
{
	int fd = open(file->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0660);

	if (fd >= 0)
		give_to_owner(file, fd);
	return fd;
}

/* Another's file that we may not write to is replaced by one of ours: the folder
 * is ours to write to, or SQLite could not work in it. */
static int open_or_make(const struct acknowledged_file *file)
{
	int fd = open(file->path, O_RDWR | O_CLOEXEC);

	if (fd < 0 && (errno == EACCES || errno == EPERM) &&
	    unlink(file->path) != 0)
		return -1;
	if (fd < 0)
		fd = make(file);
	/* Somebody else has just made it. */
	if (fd < 0 && errno == EEXIST)
		fd = open(file->path, O_RDWR | O_CLOEXEC);
	return fd;
}

static bool lock_byte(int fd, short kind, off_t at)
{
	struct flock lock = {
		.l_type = kind, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};

	return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

static void close_file(struct acknowledged_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

static void open_file(struct acknowledged_file *file)
{
	struct stat status;

	file->fd = open_or_make(file);
	if (file->fd < 0)
		return;
	if (fstat(file->fd, &status) == 0) {
		file->device = status.st_dev;
		file->inode = status.st_ino;
	}
	if (file->is_held)
		lock_byte(file->fd, F_RDLCK, HELD_AT);
}

static void note_result(struct acknowledged_file *file, bool good)
{
	if (!good && !file->failing)
		journal_error("can't write %s: %s: a restored backup may not be "
		              "noticed", file->path, strerror(errno));
	if (good && file->failing)
		journal_info("%s can be written again", file->path);
	file->failing = !good;
}

struct acknowledged_file *acknowledged_file_open(const char *database)
{
	struct acknowledged_file *file = memory_get(sizeof *file);

	file->database = memory_copy(database, strlen(database));
	file->path = path_of(database);
	open_file(file);
	if (file->fd < 0)
		note_result(file, false);
	return file;
}

void acknowledged_file_close(struct acknowledged_file *file)
{
	if (file == NULL)
		return;
	close_file(file);
	free(file->database);
	free(file->path);
	free(file);
}

bool acknowledged_file_is_there(const struct acknowledged_file *file)
{
	return file->fd >= 0;
}

void acknowledged_file_hold(struct acknowledged_file *file)
{
	file->is_held = true;
	if (file->fd >= 0)
		lock_byte(file->fd, F_RDLCK, HELD_AT);
}

bool acknowledged_file_claim(struct acknowledged_file *file)
{
	return file->fd >= 0 && lock_byte(file->fd, F_WRLCK, HELD_AT);
}

/* The file may have been removed, or another put in its place. */
static void find_again(struct acknowledged_file *file)
{
	struct stat status;

	if (file->fd >= 0 && stat(file->path, &status) == 0 &&
	    status.st_dev == file->device && status.st_ino == file->inode)
		return;
	close_file(file);
	open_file(file);
}

/* Nobody's answer waits for long for somebody who holds the lock and stands
 * still. */
static bool lock_to_write(int fd)
{
	static const struct timespec pause = {
		.tv_nsec = WRITE_TRY_MS * 1000000L};

	for (int i = 0; i < WRITE_TRIES; i++) {
		if (lock_byte(fd, F_WRLCK, WRITTEN_AT))
			return true;
		if (errno != EAGAIN && errno != EACCES)
			return false;
		nanosleep(&pause, NULL);
	}
	errno = EAGAIN;
	return false;
}

static bool write_record(struct acknowledged_file *file,
                         const struct acknowledged *now)
{
	acknowledged_render(now, file->line);
	ssize_t size = pwrite(file->fd, file->line, ACKNOWLEDGED_SIZE, 0);
	if (size >= 0 && size < ACKNOWLEDGED_SIZE)
		errno = ENOSPC;
	return size == ACKNOWLEDGED_SIZE;
}

/* What is no record goes, whatever its size is. */
static bool is_further_on(const struct acknowledged_file *file,
                          const struct acknowledged *now,
                          const struct incarnations *list)
{
	char line[LINE_ROOM];
	struct text text = read_line(file->fd, line);
	struct acknowledged was;

	/* Nearly always it is our own, of the commit before. */
	if (text_equal(text, (struct text){file->line, sizeof file->line}))
		return false;
	if (acknowledged_parse(text, &was))
		return !acknowledged_follows(&was, now, list);
	int ignored = ftruncate(file->fd, 0);
	(void)ignored;
	return false;
}

static bool raise_record(struct acknowledged_file *file,
                         const struct acknowledged *now,
                         const struct incarnations *list)
{
	if (!lock_to_write(file->fd))
		return false;
	bool good = is_further_on(file, now, list) || write_record(file, now);
	int why = errno;
	lock_byte(file->fd, F_UNLCK, WRITTEN_AT);
	errno = why;
	return good;
}

void acknowledged_file_raise(struct acknowledged_file *file,
                             const struct acknowledged *now,
                             const struct incarnations *list)
{
	find_again(file);
	note_result(file, file->fd >= 0 && raise_record(file, now, list));
}
