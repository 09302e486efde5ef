/* Requests on their way in: bytes are taken as they come, and nothing waits for
 * them. */
#ifndef LONGROOM_INTAKE_H
#define LONGROOM_INTAKE_H

#include "gateway/exchange.h"

enum {
	/* The shipped nginx sends 64 KiB at most (nginx.conf). */
	INTAKE_PARAMETERS_MAX = 128 * 1024,
};

/* The longest body that is read where contents are limited (limits.content): any
 * character of one may come as \uXXXX. */
int64_t intake_body_limit(int64_t content_limit);

/* Begins with a connection, which is the exchange's from now on. What a body has
 * beyond the limit is passed over. */
void intake_begin(struct exchange *exchange, int connection,
                  int64_t body_limit);

/* Takes what has come of one request; not all if that is much, for a peer may send
 * faster than it is read, and for ever. */
enum fastcgi_state intake_read(struct exchange *exchange);

/* The same after waiting for the first of it, for at most so long. */
enum fastcgi_state intake_wait(struct exchange *exchange, int wait_ms);

/* Gives up a request that is not whole, and closes the connection. */
void intake_abandon(struct exchange *exchange);

#endif
