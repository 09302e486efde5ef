/* faulty_disk.so: a disk that fails on demand, below SQLite.
 *
 * Preloaded (LD_PRELOAD), it intercepts the calls by which SQLite, and longroom
 * itself, change files whose name begins with longroom.db, and their folder:
 * open, write, pwrite, ftruncate, fsync, fdatasync, unlink. It ignores all
 * other files, and reads. SQLite's -shm is written through mmap; only its
 * creation and its growth are seen here.
 *
 *   LONGROOM_DISK_TRACE=FILE   records every operation (trace.h); from that
 *                              disk.c tells what a power cut would have left
 *   LONGROOM_DISK_FAULT=KIND:FROM-TO:ERROR
 *       KIND      open, write, truncate, sync, unlink or any
 *       FROM-TO   which ones of that kind, from 1; an empty TO: all from FROM on
 *       ERROR     EIO or ENOSPC: they fail; CUT: at the first of them the
 *                 process is killed (SIGKILL); LIE: a sync claims success
 *                 without syncing
 *
 * A write that fails by ENOSPC writes its first half. A sync never reaches the
 * real disk, which makes a sweep over a thousand operations fast: the trace
 * decides what is on disk. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "trace.h"

enum { FD_MAX = 4096, FILES_MAX = 4096, NO_FILE = -1, ANSWERS = -2 };
enum { CUT = -1, LIE = -2 }; /* beside errno's */

static const char database[] = "longroom.db", answers[] = "longroom.db-answers";
static const char *const kinds[TRACE_KIND_COUNT] = {
	[TRACE_OPEN] = "open",         [TRACE_WRITE] = "write",
	[TRACE_TRUNCATE] = "truncate", [TRACE_SYNC] = "sync",
	[TRACE_UNLINK] = "unlink",
};

static struct {
	int (*open)(const char *, int, ...);
	int (*close)(int);
	ssize_t (*write)(int, const void *, size_t);
	ssize_t (*pwrite)(int, const void *, size_t, off_t);
	int (*ftruncate)(int, off_t);
	int (*fsync)(int);
	int (*unlink)(const char *);
} real;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Under the lock: */
static int file_of_fd[FD_MAX];   /* 0 is the folder */
static ino_t inodes[FILES_MAX];  /* of the files that are there, by number */
static int file_count = 1;
static char folder[PATH_MAX];    /* of the database; empty: not known yet */
static int trace = -1;
static struct {
	int kind; /* TRACE_KIND_COUNT: any */
	unsigned long from, to, seen;
	int error; /* 0: no fault */
} fault;

static void read_fault(const char *text)
{
	char kind[16], to[16] = "", error[16];

	if (text == NULL)
		return;
	if (sscanf(text, "%15[a-z]:%lu-:%15s", kind, &fault.from, error) != 3 &&
	    sscanf(text, "%15[a-z]:%lu-%15[0-9]:%15s", kind, &fault.from, to,
	           error) != 4) {
		fprintf(stderr, "LONGROOM_DISK_FAULT: what is %s?\n", text);
		abort();
	}
	fault.to = to[0] != '\0' ? strtoul(to, NULL, 10) : ULONG_MAX;
	fault.error = strcmp(error, "CUT") == 0      ? CUT
	              : strcmp(error, "LIE") == 0    ? LIE
	              : strcmp(error, "ENOSPC") == 0 ? ENOSPC
	                                             : EIO;
	for (fault.kind = TRACE_OPEN; fault.kind < TRACE_KIND_COUNT; fault.kind++)
		if (strcmp(kind, kinds[fault.kind]) == 0)
			break;
}

static void find(void *function, const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	memcpy(function, &found, sizeof found);
}

static void start(void)
{
	const char *file = getenv("LONGROOM_DISK_TRACE");

	find(&real.open, "open");
	find(&real.close, "close");
	find(&real.write, "write");
	find(&real.pwrite, "pwrite");
	find(&real.ftruncate, "ftruncate");
	find(&real.fsync, "fsync");
	find(&real.unlink, "unlink");
	for (int fd = 0; fd < FD_MAX; fd++)
		file_of_fd[fd] = NO_FILE;
	if (file != NULL)
		trace = real.open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
		                  0600);
	read_fault(getenv("LONGROOM_DISK_FAULT"));
}

static void enter(void)
{
	pthread_once(&once, start);
	pthread_mutex_lock(&lock);
}

static void leave(void)
{
	pthread_mutex_unlock(&lock);
}

static void put(const void *data, size_t size)
{
	if (trace >= 0 && real.write(trace, data, size) != (ssize_t)size)
		abort();
}

static void note(enum trace_kind kind, enum trace_result result, int file,
                 off_t at, const void *data, size_t size)
{
	struct trace_record record = {
		.kind = (uint16_t)kind,
		.result = (uint16_t)result,
		.file = (uint32_t)file,
		.at = (uint64_t)at,
		.size = (uint32_t)size,
	};
	int before = errno;

	put(&record, sizeof record);
	put(data, size);
	errno = before;
}

/* Counts the operation that is about to happen. Returns whether it must fail;
 * errno is then why. */
static bool fails(enum trace_kind kind)
{
	if (fault.error == 0 ||
	    (fault.kind != TRACE_KIND_COUNT && fault.kind != (int)kind))
		return false;
	fault.seen++;
	if (fault.seen < fault.from || fault.seen > fault.to)
		return false;
	if (fault.error > 0)
		errno = fault.error;
	return true;
}

/* The power fails before the operation is done. It is in the trace, as what was
 * under way. */
static void cut_if_asked(void)
{
	while (fault.error == CUT)
		kill(getpid(), SIGKILL);
}

static const char *name_in(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static bool is_ours(const char *path)
{
	return strncmp(name_in(path), database, sizeof database - 1) == 0;
}

static void learn_folder(const char *path)
{
	if (folder[0] == '\0')
		snprintf(folder, sizeof folder, "%.*s",
		         (int)(name_in(path) - path - 1), path);
}

static int file_number(int fd, bool created)
{
	struct stat status;

	/* Numbers are for the trace. A sweep, which has none, creates more
	 * files than there are numbers. */
	if (trace < 0)
		return 1;
	if (fstat(fd, &status) != 0)
		abort();
	/* An inode number may be used again. */
	for (int i = 1; i < file_count; i++)
		if (inodes[i] == status.st_ino) {
			if (!created)
				return i;
			inodes[i] = 0;
		}
	if (file_count == FILES_MAX)
		abort();
	inodes[file_count] = status.st_ino;
	return file_count++;
}

static int open_ours(const char *path, int flags, mode_t mode)
{
	const char *name = name_in(path);
	struct stat status;

	if (strcmp(name, answers) == 0) {
		int fd = real.open(path, flags, mode);
		if (fd >= 0 && fd < FD_MAX)
			file_of_fd[fd] = ANSWERS;
		return fd;
	}
	learn_folder(path);
	bool created = stat(path, &status) != 0;
	if (fails(TRACE_OPEN)) {
		note(TRACE_OPEN, TRACE_FAILED, 0, 0, name, strlen(name));
		cut_if_asked();
		return -1;
	}
	int fd = real.open(path, flags, mode);
	if (fd < 0 || fd >= FD_MAX)
		return fd;
	file_of_fd[fd] = file_number(fd, created);
	note(TRACE_OPEN, created ? TRACE_CREATED : TRACE_DONE, file_of_fd[fd], 0,
	     name, strlen(name));
	return fd;
}

static int open_any(const char *path, int flags, mode_t mode)
{
	int fd;

	enter();
	if (is_ours(path)) {
		fd = open_ours(path, flags, mode);
	} else {
		fd = real.open(path, flags, mode);
		if (fd >= 0 && fd < FD_MAX && strcmp(path, folder) == 0)
			file_of_fd[fd] = TRACE_FOLDER;
	}
	leave();
	return fd;
}

static mode_t mode_in(int flags, va_list arguments)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
	va_list arguments;

	va_start(arguments, flags);
	mode_t mode = mode_in(flags, arguments);
	va_end(arguments);
	return open_any(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	va_list arguments;

	va_start(arguments, flags);
	mode_t mode = mode_in(flags, arguments);
	va_end(arguments);
	return open_any(path, flags | O_LARGEFILE, mode);
}

int close(int fd)
{
	enter();
	if (fd >= 0 && fd < FD_MAX)
		file_of_fd[fd] = NO_FILE;
	leave();
	return real.close(fd);
}

/* The file behind a descriptor, with the lock held if it is one of ours. */
static int enter_file(int fd)
{
	enter();
	int file = fd >= 0 && fd < FD_MAX ? file_of_fd[fd] : NO_FILE;
	if (file == NO_FILE)
		leave();
	return file;
}

static ssize_t write_ours(int fd, int file, const void *data, size_t size, off_t at)
{
	ssize_t done;

	if (!fails(TRACE_WRITE)) {
		done = real.pwrite(fd, data, size, at);
		if (done >= 0)
			note(TRACE_WRITE, TRACE_DONE, file, at, data, (size_t)done);
		return done;
	}
	if (fault.error == CUT)
		note(TRACE_WRITE, TRACE_DONE, file, at, data, size);
	cut_if_asked();
	if (fault.error == ENOSPC && real.pwrite(fd, data, size / 2, at) > 0)
		note(TRACE_WRITE, TRACE_DONE, file, at, data, size / 2);
	note(TRACE_WRITE, TRACE_FAILED, file, at, NULL, 0);
	errno = fault.error;
	return -1;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
	int file = enter_file(fd);

	if (file == NO_FILE)
		return real.pwrite(fd, data, size, at);
	ssize_t done = write_ours(fd, file, data, size, at);
	leave();
	return done;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
	return pwrite(fd, data, size, at);
}

ssize_t write(int fd, const void *data, size_t size)
{
	int file = enter_file(fd);

	if (file == NO_FILE)
		return real.write(fd, data, size);
	ssize_t done;
	if (file == ANSWERS) {
		done = real.write(fd, data, size);
		note(TRACE_ANSWER, TRACE_DONE, 0, 0, data, size);
	} else {
		done = write_ours(fd, file, data, size, lseek(fd, 0, SEEK_CUR));
		if (done > 0)
			lseek(fd, done, SEEK_CUR);
	}
	leave();
	return done;
}

int ftruncate(int fd, off_t size)
{
	int file = enter_file(fd);

	if (file == NO_FILE)
		return real.ftruncate(fd, size);
	int result = -1;
	if (!fails(TRACE_TRUNCATE))
		result = real.ftruncate(fd, size);
	else
		cut_if_asked();
	note(TRACE_TRUNCATE, result == 0 ? TRACE_DONE : TRACE_FAILED, file, size,
	     NULL, 0);
	leave();
	return result;
}

int ftruncate64(int fd, off64_t size)
{
	return ftruncate(fd, size);
}

int fsync(int fd)
{
	int file = enter_file(fd);

	if (file == NO_FILE)
		return real.fsync(fd);
	bool failed = fails(TRACE_SYNC);
	if (failed)
		cut_if_asked();
	if (!failed || fault.error != LIE)
		note(TRACE_SYNC, failed ? TRACE_FAILED : TRACE_DONE, file, 0,
		     NULL, 0);
	leave();
	return failed && fault.error != LIE ? -1 : 0;
}

int fdatasync(int fd)
{
	return fsync(fd);
}

int unlink(const char *path)
{
	int result = -1;

	enter();
	if (!is_ours(path)) {
		leave();
		return real.unlink(path);
	}
	if (!fails(TRACE_UNLINK))
		result = real.unlink(path);
	else
		cut_if_asked();
	note(TRACE_UNLINK, result == 0 ? TRACE_DONE : TRACE_FAILED, 0, 0,
	     name_in(path), strlen(name_in(path)));
	leave();
	return result;
}
