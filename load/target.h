/* Where requests go: a URL taken apart, and sockets that connect to it. */
#ifndef LONGROOM_LOAD_TARGET_H
#define LONGROOM_LOAD_TARGET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
	TARGET_HOST_SIZE = 256,
	TARGET_PREFIX_SIZE = 256,
};

struct target {
	struct sockaddr_storage address;
	socklen_t address_size;
	char host[TARGET_HOST_SIZE];     /* for the header Host */
	char prefix[TARGET_PREFIX_SIZE]; /* before /rooms; no slash at its end */
};

/* Takes http://HOST[:PORT][/PREFIX] or unix:PATH. If it is neither, returns
 * what is wrong; NULL if all is well. */
const char *target_parse(const char *url, struct target *target);

bool target_equal(const struct target *a, const struct target *b);

/* Returns a socket that does not block, or -1 with errno. *pending: it is not
 * connected yet, but will be writable when that is decided. source counts the
 * addresses from 127.0.0.1 that connections over IPv4 may come from; 0 leaves
 * the choice to the system. */
int target_connect(const struct target *target, uint32_t source, bool *pending);

#endif
