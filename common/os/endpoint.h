/* Addresses to listen on: unix:/path/of/socket or host:port ([::1]:port). */
#ifndef LONGROOM_ENDPOINT_H
#define LONGROOM_ENDPOINT_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/buffer.h"

/* Connections that the kernel may keep for us until they are accepted. connect
 * on a unix socket fails at once when they are too many, so as many as Linux
 * allows (net.core.somaxconn, 4096). */
enum { ENDPOINT_BACKLOG = 4096 };

/* Whether it is an address at all; *error says why not. */
bool endpoint_check(const char *address, struct buffer *error);

/* Whether only this machine can connect: a unix socket, or every address that
 * the host's name stands for is loopback. */
bool endpoint_is_local(const char *address);

/* The same of a socket that listens. */
bool endpoint_descriptor_is_local(int fd);

/* Whether accept() failed for a reason that says nothing of the next one. */
bool endpoint_is_passing(int error);

struct endpoint {
	int fd;
	bool outlives_us; /* handed over (inherited.h): who connects is not lost
	                   * when we end, but waits for the next of us */
	char *path; /* NULL for TCP */
	dev_t device;
	ino_t inode;
};

/* Listens, non-blocking and close-on-exec. A socket file that nobody listens on
 * any more is replaced; one with a listener is an error. Unix sockets get mode
 * 0660: for the owner and the group, in which the web server is to be. */
bool endpoint_open(struct endpoint *endpoint, const char *address,
                   struct buffer *error);

/* Removes the socket file, unless somebody has put another one in its place: from
 * then on nobody can connect, and who has can still be accepted. */
void endpoint_withdraw(struct endpoint *endpoint);

/* Closes it, and withdraws it before. */
void endpoint_close(struct endpoint *endpoint);

#endif
