/* The web server's end of one request: what comes in on a connection, and the answer
 * that goes out on it. It belongs to one thread at a time, and its owner says what is
 * asked for, and answers. */
#ifndef LONGROOM_EXCHANGE_H
#define LONGROOM_EXCHANGE_H

#include "base/list.h"
#include "gateway/fastcgi_scan.h"
#include "gateway/gateway.h"
#include "gateway/response.h"

struct exchange {
	/* Where it waits: in slow_peers.h, or in a queue of its owner. */
	struct list link;
	/* In slow_peers alone: */
	int side;
	int64_t progress_ms, due_ms; /* monotonic */
	size_t bytes;                /* that it is counted with */
	/* On its way in (intake.h): */
	int connection;
	struct fastcgi_limits limits;
	struct fastcgi_scan scan;
	struct buffer input;
	/* When it is there: */
	struct gateway *gateway;
	struct response response;
};

/* For one request after another. */
void exchange_init(struct exchange *exchange);
/* While no request is in it. */
void exchange_release(struct exchange *exchange);

#endif
