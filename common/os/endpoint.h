/* Addresses to listen on: unix:/path/of/socket or host:port ([::1]:port). */
#ifndef LONGROOM_ENDPOINT_H
#define LONGROOM_ENDPOINT_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/buffer.h"

/* The backlog: connections that the kernel keeps until they are accepted. connect()
 * on a unix socket fails at once when the backlog is full, so it is as long as Linux
 * allows (net.core.somaxconn, 4096). */
enum { ENDPOINT_BACKLOG = 4096 };

/* Whether it is a valid address; if not, *error says why. */
bool endpoint_check(const char *address, struct buffer *error);

/* Whether only this machine can connect: it is a unix socket, or the host name
 * resolves to loopback addresses only. */
bool endpoint_is_local(const char *address);

/* The same for a listening socket. */
bool endpoint_descriptor_is_local(int fd);

/* Whether accept() failed for a reason that concerns only that connection. */
bool accept_error_is_transient(int error);

struct endpoint {
	int fd;
	bool outlives_us; /* inherited (inherited.h): clients that connect while we
	                   * exit wait in the backlog for the next process */
	char *path; /* NULL for TCP */
	dev_t device;
	ino_t inode;
};

/* Listens, non-blocking and close-on-exec. A stale socket file, which no process
 * listens on, is replaced; one with a listener is an error. Unix sockets get mode
 * 0660: the web server must be in their group. */
bool endpoint_open(struct endpoint *endpoint, const char *address,
                   struct buffer *error);

/* Removes the socket file, unless another process has replaced it. From then on no
 * client can connect; connections in the backlog can still be accepted. */
void endpoint_withdraw(struct endpoint *endpoint);

/* Withdraws it, then closes it. */
void endpoint_close(struct endpoint *endpoint);

#endif
