#include "os/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/journal.h"
#include "base/memory.h"

enum {
	PAUSE_NS = 20000000, /* between two tries for a lock */
	TELL_MS = 1000,      /* of waiting until it is logged */
};

static int open_folder(const char *path)
{
	char *copy = memory_copy(path, strlen(path));
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	free(copy);
	return fd;
}

static void tell_folder(const char *path, bool given_up, int64_t waited_ms,
                        struct buffer *error)
{
	char *copy = memory_copy(path, strlen(path));
	const char *folder = dirname(copy);

	if (given_up)
		buffer_printf(error,
		              "folder %s is locked by another process (flock; see "
		              "lslocks): gave up after %" PRId64 " ms",
		              folder, waited_ms);
	else
		journal_warning("waiting for the lock on folder %s: held by "
		                "another process (see lslocks)", folder);
	free(copy);
}

/* The programs block these signals, so they are pending. */
static bool is_told_to_end(void)
{
	sigset_t pending;

	return sigpending(&pending) == 0 && (sigismember(&pending, SIGTERM) == 1 ||
	                                     sigismember(&pending, SIGINT) == 1);
}

/* Polls for the lock, because flock() has no timeout. */
static bool wait_for_lock(int lock, const char *path, int64_t patience_ms,
                          struct buffer *error)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	int64_t began_ms = clock_monotonic_ms();
	bool told = false;

	while (flock(lock, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return true; /* this file system has no locks */
		int64_t waited_ms = clock_monotonic_ms() - began_ms;
		if (waited_ms >= patience_ms || is_told_to_end()) {
			tell_folder(path, true, waited_ms, error);
			return false;
		}
		if (waited_ms >= TELL_MS && !told) {
			tell_folder(path, false, waited_ms, error);
			told = true;
		}
		nanosleep(&pause, NULL);
	}
	return true;
}

bool folder_lock(const char *path, int64_t patience_ms, int *lock,
                 struct buffer *error)
{
	*lock = open_folder(path);
	if (*lock < 0 || wait_for_lock(*lock, path, patience_ms, error))
		return true;
	folder_unlock(*lock);
	*lock = -1;
	return false;
}

void folder_unlock(int lock)
{
	if (lock >= 0)
		close(lock);
}

void folder_advise(const char *path, int why, struct buffer *error)
{
	if (why != ENOENT)
		return;
	char *copy = memory_copy(path, strlen(path));
	buffer_printf(error, ": make the folder %s, for our user", dirname(copy));
	free(copy);
}

bool folder_sync(const char *path)
{
	int fd = open_folder(path);

	if (fd < 0)
		return true;
	bool good = fsync(fd) == 0 || errno == EINVAL;
	int why = errno;
	close(fd);
	errno = why;
	return good;
}
