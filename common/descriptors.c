#include "descriptors.h"

#include <sys/resource.h>

enum { MOST = 1 << 30 };

size_t descriptors_raise_limit(void)
{
	struct rlimit files;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	return files.rlim_max < MOST ? (size_t)files.rlim_max : MOST;
}
