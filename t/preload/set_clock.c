/* set_clock.so: preloaded (LD_PRELOAD), it sets a program's wall clock, and
 * only that, by the number of milliseconds in the file that LONGROOM_CLOCK
 * names: a 64-bit number in this machine's byte order, which a test changes
 * while the program runs. (libfaketime sets it too, but ends timed waits of
 * threads.) */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *offset_ms;

static __attribute__((constructor)) void map_file(void)
{
	const char *path = getenv("LONGROOM_CLOCK");
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0)
		abort();
	void *map = mmap(NULL, sizeof *offset_ms, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		abort();
	offset_ms = map;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	int result = (int)syscall(SYS_clock_gettime, clock, now);

	if (clock != CLOCK_REALTIME || offset_ms == NULL || result != 0)
		return result;
	int64_t ms = *offset_ms;
	now->tv_sec += ms / 1000;
	now->tv_nsec += ms % 1000 * 1000000;
	if (now->tv_nsec < 0) {
		now->tv_nsec += 1000000000;
		now->tv_sec--;
	} else if (now->tv_nsec >= 1000000000) {
		now->tv_nsec -= 1000000000;
		now->tv_sec++;
	}
	return 0;
}
