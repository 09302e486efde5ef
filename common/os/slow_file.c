#include "os/slow_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

enum {
	PATIENCE_MS = 10000,
	LARGEST = 1 << 20, /* bytes */
	PIECE = 4096,
};

/* Waits for a writer. False: none wrote in time. A fifo without a writer looks as if
 * it had ended, so it is read only once it has bytes. */
static bool wait_for_bytes(int fd, int64_t until_ms)
{
	struct pollfd wanted = {.fd = fd, .events = POLLIN};
	int64_t left_ms = until_ms - clock_monotonic_ms();
	int found = left_ms > 0 ? poll(&wanted, 1, (int)left_ms) : 0;

	if (found == 0)
		errno = ETIMEDOUT;
	return found > 0 || (found < 0 && errno == EINTR);
}

static bool read_to_end(int fd, struct buffer *bytes)
{
	int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

	while (bytes->size <= LARGEST) {
		if (!wait_for_bytes(fd, until_ms))
			return false;
		ssize_t got = read(fd, buffer_reserve(bytes, PIECE), PIECE);
		if (got == 0)
			return true;
		if (got > 0)
			bytes->size += (size_t)got;
		else if (errno != EINTR && errno != EAGAIN)
			return false;
	}
	errno = EFBIG;
	return false;
}

static FILE *open_fifo(int fd, struct buffer *bytes)
{
	bool good = read_to_end(fd, bytes);
	int why = errno;

	close(fd);
	errno = why;
	if (!good)
		return NULL;
	/* In some C libraries fmemopen() fails for size 0. */
	buffer_add_string(bytes, "\n");
	return fmemopen(bytes->data, bytes->size, "r");
}

FILE *slow_file_open(const char *path, struct buffer *bytes)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat status;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode))
		return open_fifo(fd, bytes);
	fcntl(fd, F_SETFL, 0);
	FILE *file = fdopen(fd, "r");
	if (file == NULL)
		close(fd);
	return file;
}
