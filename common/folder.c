#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "memory.h"

int folder_lock(const char *path)
{
	char *copy = memory_copy(path, strlen(path));
	int lock = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	free(copy);
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
