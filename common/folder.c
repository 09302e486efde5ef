#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "memory.h"

static int open_folder(const char *path)
{
	char *copy = memory_copy(path, strlen(path));
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	free(copy);
	return fd;
}

int folder_lock(const char *path)
{
	int lock = open_folder(path);

	if (lock >= 0)
		while (flock(lock, LOCK_EX) != 0 && errno == EINTR)
			;
	return lock;
}

void folder_unlock(int lock)
{
	if (lock >= 0)
		close(lock);
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
