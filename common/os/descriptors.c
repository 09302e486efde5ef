#include "os/descriptors.h"

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

bool descriptors_require(size_t needed, struct buffer *error)
{
	size_t allowed = descriptors_raise_limit();

	if (allowed >= needed)
		return true;
	buffer_printf(error,
	              "the limit of open files is %zu, at least %zu are needed: "
	              "raise it (ulimit -n, LimitNOFILE=)",
	              allowed, needed);
	return false;
}
