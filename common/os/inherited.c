#include "os/inherited.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/number.h"

static bool has_option(int fd, int name, int wanted)
{
	int value = 0;
	socklen_t size = sizeof value;

	return getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 &&
	       value == wanted;
}

static bool set_up(int fd)
{
	int flags = fcntl(fd, F_GETFL), on = 1;

	/* Accepted sockets inherit this. Unix sockets ignore it. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	/* All processes that have the socket share O_NONBLOCK, and all need it. */
	return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
	       fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

static bool take_each(size_t count, struct buffer *error)
{
	for (size_t i = 0; i < count; i++) {
		int fd = INHERITED_FIRST + (int)i;

		if (!has_option(fd, SO_TYPE, SOCK_STREAM) ||
		    !has_option(fd, SO_ACCEPTCONN, 1)) {
			buffer_printf(error,
			              "LISTEN_FDS: descriptor %d is not a "
			              "listening stream socket", fd);
			return false;
		}
		if (!set_up(fd)) {
			buffer_printf(error, "LISTEN_FDS: descriptor %d: %s", fd,
			              strerror(errno));
			return false;
		}
	}
	return true;
}

static bool read_variable(const char *name, int64_t most, int64_t *number,
                          struct buffer *error)
{
	const char *value = getenv(name);

	*number = 0;
	if (value == NULL || number_parse(text_of(value), 0, most, number))
		return true;
	buffer_printf(error, "%s: '%s' is not a number", name, value);
	return false;
}

bool inherited_take(size_t *count, struct buffer *error)
{
	int64_t pid, sockets = 0;
	bool good = read_variable("LISTEN_PID", INT_MAX, &pid, error);

	if (good && pid == getpid())
		good = read_variable("LISTEN_FDS", INT_MAX - INHERITED_FIRST,
		                     &sockets, error);
	*count = good ? (size_t)sockets : 0;
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return good && take_each(*count, error);
}
