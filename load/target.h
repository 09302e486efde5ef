/* The target of requests: a parsed URL, and sockets that connect to it. */
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

/* Parses http://HOST[:PORT][/PREFIX] or unix:PATH. Returns what is wrong with it;
 * NULL: nothing. */
const char *target_parse(const char *url, struct target *target);

bool target_equal(const struct target *a, const struct target *b);

/* Returns a non-blocking socket, or -1 with errno. *pending: it is not connected
 * yet, and becomes writable once it is, or has failed. `source` selects the source
 * address of a connection over IPv4: 1 is 127.0.0.1, 2 is 127.0.0.2; 0 leaves it to
 * the system. */
int target_connect(const struct target *target, uint32_t source, bool *pending);

#endif
