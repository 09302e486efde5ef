/* What the connections of a server share, and the table of functions through which
 * they pass requests to the application. There is no other link between the two.
 *
 * The transport knows bytes, requests and answers, time and limits. The application
 * knows what a request means, and whether it is allowed. */
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
struct request_parser;

enum connection_state {
	CONNECTION_IDLE,      /* between requests */
	CONNECTION_HEAD,      /* a request has begun */
	CONNECTION_PARKED,    /* the application has it, and will answer */
	CONNECTION_WRITING,   /* the client reads an answer or a piece slowly */
	CONNECTION_LINGERING, /* the last answer is sent; reads the client's other
	                       * bytes, or the kernel may drop the answer (RFC
	                       * 9112 section 9.6) */
	CONNECTION_DEAD,      /* closed; freed at the end of the loop's turn */
	CONNECTION_STATES,
};

/* The application's functions. Before a function returns, it answers or parks
 * (connection.h) the request that it was given. */
struct http_handlers {
	/* The size of the application's struct for a connection. It begins with a
	 * struct connection, so one allocation holds both. */
	size_t connection_size;
	/* The connection is new, and the application's part all zeros. */
	void (*opened)(struct connection *c);
	/* Bytes have come between two requests. True: they are a complete request
	 * that the application recognised, and answered or parked. False: they must
	 * be parsed. */
	bool (*recognised)(struct connection *c, struct text bytes);
	/* A request's head is complete: connection_head(). `whole` is all of it if
	 * it came in one piece, otherwise empty. */
	void (*requested)(struct connection *c, struct text whole);
	/* The bytes are not a valid request, or did not come in time. The connection
	 * closes after the answer. */
	void (*faulty)(struct connection *c, struct problem problem);
	/* The deadline of a parked request has come. */
	void (*expired)(struct connection *c);
	/* The request is no longer parked: its answer is written or being written,
	 * or the connection is closed. A stream counts as parked up to its last
	 * piece. */
	void (*unparked)(struct connection *c);
	/* A piece of a stream that was being written is written. The request is
	 * parked; its deadline must be set. */
	void (*written)(struct connection *c);
	/* The wall clock was set forward while a request was parked. */
	void (*clock_was_set)(struct connection *c);
	/* The server drains: the parked request must be answered soon. */
	void (*drained)(struct connection *c);
	/* Called once before drained(): the number of parked requests. */
	void (*draining)(void *context, size_t parked);
};

struct transport {
	const struct http_handlers *handlers;
	void *context; /* the application's */
	struct poller poller;
	struct deadlines deadlines;
	struct moment now; /* as of the beginning of the loop's turn */
	int64_t timeouts_ms[CONNECTION_STATES]; /* none for PARKED and DEAD */
	int64_t head_bytes;   /* maximum of a request's head */
	int64_t unread_bytes; /* limit of unread answers' memory */
	struct list connections; /* struct connection */
	struct list dead;
	struct list put_off;   /* struct connection, each with more to do */
	size_t count;          /* of open connections */
	size_t limit;          /* more are refused */
	int64_t write_left;    /* bytes of long answers left in this share (turn.h) */
	struct unread unread;
	struct request_parser *spare; /* for the next request; or NULL */
	struct complaint about_unread, about_watching;
	bool draining;
};

#endif
