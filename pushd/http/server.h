/* All connections of a program: accepts them, watches their deadlines, counts them,
 * ends them. What they ask for is the application's, which has a table of
 * functions for it (transport.h). */
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

/* What an operator is told. */
struct server_status {
	int64_t connection_limit;
	int64_t put_off;      /* connections with more to do */
	int64_t unread_bytes; /* of answers that clients have not read */
};

/* How many files have to be open at the same time, with one connection. */
size_t server_least_descriptors(void);

/* It listens nowhere yet. False: *error says why not; the server can be released all
 * the same. Borrows the handlers, and the context for them. */
bool server_init(struct server *server, struct ev_loop *loop,
                 const struct http_options *options,
                 const struct http_handlers *handlers, void *context,
                 struct buffer *error);
/* Accepts from this endpoint too. Takes it. */
void server_listen(struct server *server, struct endpoint endpoint);
/* Closes all connections: each parked request is unparked. */
void server_release(struct server *server);

/* Other limits and timeouts, from now on, for those under way too. False: they
 * can't be, *error says why, and nothing has changed. */
bool server_set_options(struct server *server, const struct http_options *options,
                        struct buffer *error);

/* Stops listening, has all that is parked answered, and breaks the loop when all
 * have read their answers. Whoever has connected is not turned away: what has been
 * asked, or is being asked, is answered; the backlog of a socket that was handed
 * over is left to whoever has it next. */
void server_drain(struct server *server);

/* Does the next share of what is long (turn.h). True: there is more. */
bool server_go_on(struct server *server);
/* Whether something of the share has been taken, or is waited for. */
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
