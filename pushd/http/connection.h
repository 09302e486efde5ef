/* A client's connection: reads a request, passes it to the application, writes the
 * answer, and starts again.
 *
 * While a request is parked, the connection has neither parser nor buffers. It stays
 * registered for reading, so a client that leaves is noticed, and a request and its
 * answer cost one recv and one send.
 *
 * A response may be a stream: its pieces are written one by one, and in between the
 * request is parked. A client reads a piece before it gets the next, so it has one
 * unread piece at most, as with answers.
 *
 * A client that has shut down its sending side may still read. Its requests are
 * answered as far as no waiting is needed, then the connection is closed (PROTOCOL
 * section 6). Bytes sent before the answer (pipelining, RFC 9112 section 9.3.2) are
 * kept, up to the limit of a head. */
#ifndef LONGROOM_CONNECTION_H
#define LONGROOM_CONNECTION_H

#include "http/request_parser.h"
#include "http/transport.h"

struct connection {
	struct transport *transport;
	struct list all; /* in transport.connections, or transport.dead */
	struct list put_off; /* in transport.put_off while work is left */
	struct deadline deadline; /* set unless DEAD */
	int fd;
	enum connection_state state;
	bool is_kept;      /* it has had an answer, and was kept for the next */
	bool is_surplus;   /* came over the limit: refused while it is so */
	bool closes;       /* after this request */
	bool has_ended;    /* its client says no more: all of that is to be read */
	bool is_head;      /* its method is HEAD */
	bool takes_chunks; /* the response may come in chunks: its HTTP is 1.1 */
	bool is_watched;   /* WRITING: for when the kernel takes more */
	bool is_streaming; /* PARKED or WRITING: more pieces will come */
	struct request_parser *request; /* from the first byte of a request until its
	                                 * head is no longer needed; or NULL */
	struct buffer input;  /* received but not yet parsed; in state IDLE only
	                       * while it is put off */
	struct answer *answer; /* being written; NULL: none */
	/* Of the answer, which is far below 4 GiB: */
	uint32_t written;
	uint32_t progress; /* WRITING: what was written when its time began */
	struct unread_reader reader; /* in transport.unread while WRITING */
};

/* For the server: */

/* Takes the descriptor. */
void connection_new(struct transport *transport, int fd, bool is_surplus);

/* Closes it at once. The server frees it later. */
void connection_close(struct connection *c);
void connection_free(struct connection *c);

/* The poller's callback; the owner is the connection. */
void connection_ready(void *owner, const struct poller_signs *signs);

/* Its turn has come to continue with work that was put off. */
void connection_go_on(struct connection *c);

/* Its deadline has passed. */
void connection_expire(struct connection *c);

/* Shuts it down gracefully, once transport.draining is set: a parked request is
 * answered, an answer being written is finished, and a request being sent is
 * awaited. */
void connection_drain(struct connection *c);

/* For the application: */

/* Answers the request that was passed up or is parked. Then closes if the answer or
 * connection_ends() says so. Takes a reference. After a parked request, the next one
 * may be passed up before this returns. */
void connection_answer(struct connection *c, struct answer *answer);

/* Parks the request, to be answered later. Its deadline is due_ms (monotonic), and
 * its head is kept. */
void connection_park(struct connection *c, int64_t due_ms);

/* Writes the first or the next piece of the response to a parked request. A piece is
 * a head with what follows it, or a chunk. Takes a reference. True: it is written, and
 * the request is still parked, with the deadline that it had. False: it is being
 * written, and handlers.written() will be called, unless the connection closes. */
bool connection_stream(struct connection *c, struct answer *piece);

/* Writes the last piece, and then continues as after an answer. The request is no
 * longer parked. Takes a reference. */
void connection_end_stream(struct connection *c, struct answer *last);

/* Changes the deadline of a parked request. */
static inline void connection_set_due(struct connection *c, int64_t due_ms)
{
	deadline_set(&c->transport->deadlines, &c->deadline, due_ms);
}

/* Frees the head. Afterwards the connection only knows what its own members say about
 * the request. */
void connection_forget_head(struct connection *c);

/* Processes a parked request again, with a function that answers or parks it like
 * handlers.requested(). */
void connection_resume(struct connection *c,
                       void (*look)(struct connection *c, void *context),
                       void *context);

/* Closes the connection after this request's answer. */
static inline void connection_end_after(struct connection *c)
{
	c->closes = true;
}

/* Whether it will close then. */
static inline bool connection_ends(const struct connection *c)
{
	return c->closes || c->transport->draining;
}

static inline bool connection_is_parked(const struct connection *c)
{
	return c->state == CONNECTION_PARKED;
}

/* Whether it is over the limit of connections, and there is still no room for it. */
static inline bool connection_is_too_many(const struct connection *c)
{
	return c->is_surplus && c->transport->count > c->transport->limit;
}

/* Returns the head of the request; NULL: it is not complete. */
static inline const struct request_head *connection_head(const struct connection *c)
{
	return c->request->is_whole ? &c->request->head : NULL;
}

static inline enum http_method connection_method(const struct connection *c)
{
	return request_parser_method(c->request);
}

static inline bool connection_has_body(const struct connection *c)
{
	return request_parser_has_body(c->request);
}

#endif
