/* One request's connection to the web server: the bytes that come in, and the answer
 * that goes out. It belongs to one thread at a time. Its owner interprets the
 * request and answers it. */
#ifndef LONGROOM_EXCHANGE_H
#define LONGROOM_EXCHANGE_H

#include "base/list.h"
#include "gateway/fastcgi_scan.h"
#include "gateway/gateway.h"
#include "gateway/response.h"

struct exchange {
	/* The list that it waits in: in slow_peers.h, or a queue of its owner. */
	struct list link;
	/* Used by slow_peers only: */
	int side;
	int64_t progress_ms, due_ms; /* monotonic */
	size_t bytes;                /* that it is counted with */
	/* While it comes in (intake.h): */
	int connection;
	struct fastcgi_limits limits;
	struct fastcgi_scan scan;
	struct buffer input;
	/* Once it is complete: */
	struct gateway *gateway;
	struct response response;
};

/* For one request after another. */
void exchange_init(struct exchange *exchange);
/* While no request is in it. */
void exchange_release(struct exchange *exchange);

#endif
