#define _GNU_SOURCE 1 /* SOCK_NONBLOCK, IP_BIND_ADDRESS_NO_PORT */
#include "target.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

static const char *parse_unix(const char *path, struct target *target)
{
	struct sockaddr_un *address = (struct sockaddr_un *)&target->address;

	if (*path == '\0' || strlen(path) >= sizeof address->sun_path)
		return "the socket's path is empty or too long";
	address->sun_family = AF_UNIX;
	snprintf(address->sun_path, sizeof address->sun_path, "%s", path);
	target->address_size = sizeof *address;
	strcpy(target->host, "localhost");
	return NULL;
}

/* HOST, HOST:PORT, [ADDRESS] or [ADDRESS]:PORT; changes the text. */
static const char *resolve(char *authority, struct target *target)
{
	char *host = authority;
	char *port = strrchr(authority, ':');
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found;

	if (*host == '[') {
		char *bracket = strchr(++host, ']');

		if (bracket == NULL)
			return "the bracket is not closed";
		*bracket = '\0';
		port = bracket[1] == ':' ? bracket + 1 : NULL;
	}
	if (port != NULL)
		*port++ = '\0';
	if (getaddrinfo(host, port != NULL ? port : "80", &hints, &found) != 0)
		return "the host or port is unknown";
	memcpy(&target->address, found->ai_addr, found->ai_addrlen);
	target->address_size = found->ai_addrlen;
	freeaddrinfo(found);
	return NULL;
}

static const char *parse_http(const char *rest, struct target *target)
{
	size_t size = strcspn(rest, "/");
	size_t prefix_size = strlen(rest + size);

	while (prefix_size > 0 && rest[size + prefix_size - 1] == '/')
		prefix_size--;
	if (size == 0 || size >= sizeof target->host ||
	    prefix_size >= sizeof target->prefix)
		return "the host or the prefix is empty or too long";
	memcpy(target->host, rest, size);
	target->host[size] = '\0';
	memcpy(target->prefix, rest + size, prefix_size);
	target->prefix[prefix_size] = '\0';

	char authority[TARGET_HOST_SIZE];

	snprintf(authority, sizeof authority, "%s", target->host);
	return resolve(authority, target);
}

const char *target_parse(const char *url, struct target *target)
{
	*target = (struct target){0};
	if (strncmp(url, "unix:", 5) == 0)
		return parse_unix(url + 5, target);
	if (strncmp(url, "http://", 7) == 0)
		return parse_http(url + 7, target);
	return "it must begin with http:// or unix:";
}

bool target_equal(const struct target *a, const struct target *b)
{
	return a->address_size == b->address_size &&
	       memcmp(&a->address, &b->address, a->address_size) == 0 &&
	       strcmp(a->prefix, b->prefix) == 0;
}

static int bind_source(int fd, uint32_t source)
{
	int yes = 1;
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + source),
	};

	/* The port is chosen when connecting: so it need only be free for this
	 * destination. */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
	return bind(fd, (struct sockaddr *)&address, sizeof address);
}

static int connect_quietly(int fd, const struct target *target, uint32_t source)
{
	int family = target->address.ss_family;
	int yes = 1;

	if (family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
	if (family == AF_INET && source > 0 && bind_source(fd, source) != 0)
		return -1;
	return connect(fd, (const struct sockaddr *)&target->address,
	               target->address_size);
}

int target_connect(const struct target *target, uint32_t source, bool *pending)
{
	int fd = socket(target->address.ss_family,
	                SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	*pending = false;
	if (fd < 0 || connect_quietly(fd, target, source) == 0)
		return fd;
	if (errno == EINPROGRESS) {
		*pending = true;
		return fd;
	}
	/* A unix socket whose backlog is full says EAGAIN; nothing is pending
	 * then. */
	int reason = errno;
	close(fd);
	errno = reason;
	return -1;
}
