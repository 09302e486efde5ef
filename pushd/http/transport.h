/* What the connections of a server share, and the table of functions by which they
 * hand up what has come: between them and the application there is nothing else.
 *
 * The transport knows bytes, requests and answers, time and limits. What a request
 * asks for, and whether it may, is the application's. */
#ifndef LONGROOM_TRANSPORT_H
#define LONGROOM_TRANSPORT_H

#include "base/buffer.h"
#include "base/clock.h"
#include "base/complaint.h"
#include "codec/problem.h"
#include "http/unread.h"
#include "loop/deadlines.h"
#include "loop/poller.h"

struct connection;

enum connection_state {
	CONNECTION_IDLE,      /* between requests */
	CONNECTION_HEAD,      /* a request has begun */
	CONNECTION_PARKED,    /* the application has it, and will answer */
	CONNECTION_WRITING,   /* the client reads slowly */
	CONNECTION_LINGERING, /* answered for good; reads what is still sent, lest
	                       * the kernel throws the answer away (RFC 9112
	                       * section 9.6) */
	CONNECTION_DEAD,      /* closed; freed at the end of the loop's turn */
	CONNECTION_STATES,
};

/* What the application does. A request that is handed up is answered or parked
 * (connection.h) before the function returns. */
struct http_handlers {
	/* Of what the application has for a connection: a struct that begins with a
	 * struct connection, so that there is one allocation for both. */
	size_t connection_size;
	/* It is new, and the application's part all zeros. */
	void (*opened)(struct connection *c);
	/* Bytes have come between two requests. True: the application knows them
	 * for one whole request that has come before, and has answered or parked
	 * it. False: they are to be read. */
	bool (*recognised)(struct connection *c, struct text bytes);
	/* The head of a request is there: connection_head(). `whole` is all of it if
	 * it came in one piece, else empty. */
	void (*requested)(struct connection *c, struct text whole);
	/* What has come is no request, or not in time; the connection closes after
	 * the answer. */
	void (*faulty)(struct connection *c, struct problem problem);
	/* The deadline of a parked request has come. */
	void (*expired)(struct connection *c);
	/* The request is parked no longer: its answer is with the kernel or being
	 * written, or the connection is closed. */
	void (*unparked)(struct connection *c);
	/* The wall clock was set forward while a request was parked. */
	void (*clock_was_set)(struct connection *c);
	/* The server drains, and a parked request is to be answered soon. */
	void (*drained)(struct connection *c);
	/* Before all that: so many are parked. */
	void (*draining)(void *context, size_t parked);
};

struct transport {
	const struct http_handlers *handlers;
	void *context; /* the application's */
	struct poller poller;
	struct deadlines deadlines;
	struct moment now; /* as of the beginning of the loop's turn */
	int64_t timeouts_ms[CONNECTION_STATES]; /* but for PARKED and DEAD */
	int64_t head_bytes;   /* a request's head is no longer */
	int64_t unread_bytes; /* limit of what answers hold */
	struct list connections; /* struct connection */
	struct list dead;
	struct list put_off;   /* struct connection, each with more to do */
	size_t count;          /* of those that are open */
	size_t limit;          /* more are refused */
	int64_t write_left;    /* bytes of long answers, of the share */
	struct unread unread;
	struct buffer spare;   /* memory for the next request's head */
	struct complaint about_unread, about_watching;
	bool draining;
};

#endif
