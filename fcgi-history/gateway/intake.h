/* Receives requests: takes bytes as they arrive, without waiting for them. */
#ifndef LONGROOM_INTAKE_H
#define LONGROOM_INTAKE_H

#include "gateway/exchange.h"

enum {
	/* The shipped nginx sends 64 KiB at most (nginx.conf). */
	INTAKE_PARAMETERS_MAX = 128 * 1024,
};

/* Returns the maximum size of a body for limits of the content and the data
 * (limits.content, limits.data): every character of the content may be escaped as
 * \uXXXX, and every byte of the data as %XX. */
int64_t intake_body_limit(int64_t content_limit, int64_t data_limit);

/* Begins a request on a connection, which belongs to the exchange from now on. Bytes
 * of the body beyond the limit are skipped. */
void intake_begin(struct exchange *exchange, int connection,
                  int64_t body_limit);

/* Takes bytes of this request that have arrived, but a limited number at a time,
 * since a peer may send faster than they are read, and for ever. */
enum fastcgi_state intake_read(struct exchange *exchange);

/* The same, after waiting at most that long for the first byte. */
enum fastcgi_state intake_wait(struct exchange *exchange, int wait_ms);

/* Drops an incomplete request, and closes the connection. */
void intake_abandon(struct exchange *exchange);

#endif
