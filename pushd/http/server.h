/* All connections of a program: accepts them, watches their deadlines, counts them
 * and ends them. The application handles their requests, through a table of
 * functions (transport.h). */
#ifndef LONGROOM_SERVER_H
#define LONGROOM_SERVER_H

#include <ev.h>

#include "http/connection.h"
#include "os/endpoint.h"

struct http_options {
	int64_t max_connections; /* 0: as many as files may be open */
	int64_t head_bytes, unread_bytes;         /* see transport.h */
	int64_t idle_ms, head_ms, write_ms;       /* timeouts */
};

struct server {
	struct transport transport;
	struct ev_loop *loop;
	struct list listeners; /* struct listener */
	size_t surplus; /* more than transport.limit + surplus are not accepted */
	int64_t ahead_ms; /* by so much the wall clock was when it was heeded */
	struct ev_check turn;
	struct ev_timer ticks;
	struct ev_timer accept_again;
	struct ev_prepare ending; /* of a turn */
	struct complaint about_accepting;
	bool accepting;
};

/* For the operator. */
struct server_status {
	int64_t connection_limit;
	int64_t put_off;      /* connections with more to do */
	int64_t unread_bytes; /* of answers that clients have not read */
};

/* Returns how many descriptors are needed with one connection. */
size_t server_least_descriptors(void);

/* The server does not listen yet. Borrows the handlers and their context. False:
 * *error says why; release the server nevertheless. */
bool server_init(struct server *server, struct ev_loop *loop,
                 const struct http_options *options,
                 const struct http_handlers *handlers, void *context,
                 struct buffer *error);
/* Also accepts from this endpoint, which it takes. */
void server_listen(struct server *server, struct endpoint endpoint);
/* Closes all connections: each parked request is unparked. */
void server_release(struct server *server);

/* Changes limits and timeouts, for open connections too. False: *error says why, and
 * nothing has changed. */
bool server_set_options(struct server *server, const struct http_options *options,
                        struct buffer *error);

/* Drains: stops listening, has all parked requests answered, and breaks the loop
 * when all answers have been read. Clients that have connected are not turned away:
 * requests that were sent, or are being sent, are answered. The backlog of an
 * inherited socket is left to the next process that has it. */
void server_drain(struct server *server);

/* Does the next share of what is long (turn.h). True: there is more. */
bool server_go_on(struct server *server);
/* Whether part of the share has been used, or work waits for the next. */
bool server_needs_share(const struct server *server);

/* Calls visit() for each connection that is open by now; it may end it. */
void server_visit(struct server *server,
                  void (*visit)(struct connection *c, void *context),
                  void *context);

struct server_status server_status(const struct server *server);

static inline bool server_is_draining(const struct server *server)
{
	return server->transport.draining;
}

#endif
