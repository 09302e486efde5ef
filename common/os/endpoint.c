#include "os/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/number.h"
#include "os/folder.h"

static const char unix_prefix[] = "unix:";

static const char *unix_path(const char *address)
{
	size_t size = sizeof unix_prefix - 1;

	return strncmp(address, unix_prefix, size) == 0 ? address + size : NULL;
}

/* Caller frees both. */
static bool split_host(const char *address, char **host, char **port)
{
	const char *colon = strrchr(address, ':');

	if (colon == NULL || colon == address || colon[1] == '\0')
		return false;
	size_t size = (size_t)(colon - address);
	if (address[0] == '[' && colon[-1] == ']') {
		address++;
		size -= 2;
	}
	int64_t number;
	if (!number_parse(text_of(colon + 1), 0, UINT16_MAX, &number))
		return false;
	*host = memory_copy(address, size);
	*port = memory_copy(colon + 1, strlen(colon + 1));
	return true;
}

/* Returns 0 and addresses that the caller frees, or getaddrinfo's error. */
static int resolve(const char *address, struct addrinfo **found)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
	                         .ai_flags = AI_PASSIVE};
	char *host, *port;

	if (!split_host(address, &host, &port))
		return EAI_NONAME;
	int failed = getaddrinfo(host, port, &hints, found);
	free(host);
	free(port);
	return failed;
}

bool endpoint_check(const char *address, struct buffer *error)
{
	const char *path = unix_path(address);
	struct addrinfo *found;

	if (path != NULL) {
		if (path[0] != '/')
			buffer_printf(error, "%s: the path must be absolute", address);
		else if (strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path)
			buffer_printf(error, "%s: the path is longer than 107 bytes",
			              address);
		return error->size == 0;
	}
	int failed = resolve(address, &found);
	if (failed != 0) {
		buffer_printf(error,
		              "%s: write unix:/path or host:port (%s)",
		              address, gai_strerror(failed));
		return false;
	}
	freeaddrinfo(found);
	return true;
}

static bool is_loopback(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)address;
		return ntohl(in->sin_addr.s_addr) >> 24 == 127;
	}
	if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)address;
		return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
	}
	return false;
}

bool endpoint_is_local(const char *address)
{
	struct addrinfo *found;
	bool local = true;

	if (unix_path(address) != NULL)
		return true;
	if (resolve(address, &found) != 0)
		return false;
	for (struct addrinfo *a = found; a != NULL; a = a->ai_next)
		local = local && is_loopback(a->ai_addr);
	freeaddrinfo(found);
	return local;
}

bool endpoint_descriptor_is_local(int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t size = sizeof address;

	if (getsockname(fd, (void *)&address, &size) != 0)
		return false;
	return address.ss_family == AF_UNIX || is_loopback((void *)&address);
}

bool accept_error_is_transient(int error)
{
	return error == EINTR || error == ECONNABORTED;
}

static bool endpoint_error(const char *address, const char *what,
                           struct buffer *error)
{
	const char *path = unix_path(address);
	int why = errno;

	buffer_printf(error, "%s: %s: %s", address, what, strerror(why));
	if (path != NULL)
		folder_advise(path, why, error);
	return false;
}

static bool listen_without_waiting(int fd)
{
	return listen(fd, ENDPOINT_BACKLOG) == 0 &&
	       fcntl(fd, F_SETFL, O_NONBLOCK) == 0 &&
	       fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

/* A socket file stays behind when its program is killed. */
static bool remove_stale(const struct sockaddr_un *name)
{
	struct stat status;
	int fd;

	/* Only a socket is removed: any other file is not ours. */
	errno = EADDRINUSE;
	if (stat(name->sun_path, &status) == 0 && !S_ISSOCK(status.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	/* Non-blocking: a running program's backlog may be full. */
	if (fd < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
		return false;
	bool refused = connect(fd, (const void *)name, sizeof *name) != 0 &&
	               errno == ECONNREFUSED;
	close(fd);
	if (!refused) {
		errno = EADDRINUSE;
		return false;
	}
	return unlink(name->sun_path) == 0;
}

static bool bind_unix(int fd, const struct sockaddr_un *name)
{
	if (bind(fd, (const void *)name, sizeof *name) == 0)
		return true;
	return errno == EADDRINUSE && remove_stale(name) &&
	       bind(fd, (const void *)name, sizeof *name) == 0;
}

static bool open_unix(struct endpoint *endpoint, const char *address,
                      const char *path, struct buffer *error)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct stat status;

	memcpy(name.sun_path, path, strlen(path) + 1);
	endpoint->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (endpoint->fd < 0 || !bind_unix(endpoint->fd, &name))
		return endpoint_error(address, "can't bind", error);
	endpoint->path = memory_copy(path, strlen(path));
	if (stat(path, &status) != 0)
		return endpoint_error(address, "can't stat", error);
	endpoint->device = status.st_dev;
	endpoint->inode = status.st_ino;
	/* No client can connect before listen(), so this leaves no gap. */
	if (chmod(path, 0660) != 0 ||
	    !listen_without_waiting(endpoint->fd))
		return endpoint_error(address, "can't listen", error);
	return true;
}

static bool open_tcp(struct endpoint *endpoint, const char *address,
                     struct buffer *error)
{
	struct addrinfo *found;
	int on = 1;

	if (resolve(address, &found) != 0) {
		buffer_printf(error, "%s: no such host or port", address);
		return false;
	}
	endpoint->fd = socket(found->ai_family, SOCK_STREAM, 0);
	bool good = endpoint->fd >= 0 &&
	            setsockopt(endpoint->fd, SOL_SOCKET, SO_REUSEADDR, &on,
	                       sizeof on) == 0 &&
	            /* Accepted sockets inherit it: answers leave at once. */
	            setsockopt(endpoint->fd, IPPROTO_TCP, TCP_NODELAY, &on,
	                       sizeof on) == 0 &&
	            bind(endpoint->fd, found->ai_addr, found->ai_addrlen) == 0 &&
	            listen_without_waiting(endpoint->fd);
	freeaddrinfo(found);
	return good || endpoint_error(address, "can't listen", error);
}

bool endpoint_open(struct endpoint *endpoint, const char *address,
                   struct buffer *error)
{
	const char *path = unix_path(address);

	*endpoint = (struct endpoint){.fd = -1};
	if (!endpoint_check(address, error))
		return false;
	/* Under the lock, or another process could take our socket for a stale one
	 * before it listens. */
	int lock = -1;
	if (path != NULL && !folder_lock(path, FOLDER_PATIENCE_MS, &lock, error))
		return false;
	bool good = path != NULL ? open_unix(endpoint, address, path, error)
	                         : open_tcp(endpoint, address, error);
	folder_unlock(lock);
	if (!good)
		endpoint_close(endpoint);
	return good;
}

void endpoint_withdraw(struct endpoint *endpoint)
{
	struct stat status;

	if (endpoint->path != NULL && stat(endpoint->path, &status) == 0 &&
	    status.st_dev == endpoint->device && status.st_ino == endpoint->inode)
		unlink(endpoint->path);
	free(endpoint->path);
	endpoint->path = NULL;
}

void endpoint_close(struct endpoint *endpoint)
{
	endpoint_withdraw(endpoint);
	if (endpoint->fd >= 0)
		close(endpoint->fd);
	*endpoint = (struct endpoint){.fd = -1};
}
