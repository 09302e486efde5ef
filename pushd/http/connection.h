/* One client's connection: reads a request, hands it up, writes the answer, and
 * again.
 *
 * While a request is parked it has no buffers and stays registered for reading, so
 * that a client that goes away is noticed, and a request and its answer cost one
 * recv and one send. A client that has ended its side may still read: what it has
 * asked is answered as far as that needs no waiting, then it is closed (PROTOCOL
 * section 6). What a client sends before it has its answer (pipelining, RFC
 * 9112 section 9.3.2) is kept up to the limit of a head. */
#ifndef LONGROOM_CONNECTION_H
#define LONGROOM_CONNECTION_H

#include "http/request_parser.h"
#include "http/transport.h"

struct connection {
	struct transport *transport;
	struct list all; /* in transport.connections, or transport.dead */
	struct list put_off; /* in transport.put_off while it has more to do */
	struct deadline deadline; /* set unless DEAD */
	int fd;
	enum connection_state state;
	bool is_kept;      /* it has had an answer, and was kept for the next */
	bool is_surplus;   /* came over the limit: refused while it is so */
	bool closes;       /* after this request */
	bool has_ended;    /* its client says no more: all of that is to be read */
	bool is_head;      /* its method is HEAD */
	bool is_watched;   /* WRITING: for when the kernel takes more */
	struct request_parser request;
	struct buffer input;  /* received but not yet parsed; in state IDLE only
	                       * while it is put off */
	struct answer *answer; /* being written; NULL: none */
	size_t written;
	size_t progress; /* WRITING: what was written when its time began */
	struct unread_reader reader; /* in transport.unread while WRITING */
};

/* For the server: */

/* Takes the descriptor. */
void connection_new(struct transport *transport, int fd, bool is_surplus);

/* Closes it at once; it is freed later by the server. */
void connection_close(struct connection *c);
void connection_free(struct connection *c);

/* What the poller tells of it; the owner is the connection. */
void connection_ready(void *owner, const struct poller_signs *signs);

/* Its turn has come to do more of what was put off. */
void connection_go_on(struct connection *c);

/* Its deadline has passed. */
void connection_expire(struct connection *c);

/* Ends it in good order, once transport.draining is set: has a parked request
 * answered, lets a writer finish, and a client say what it has begun to. */
void connection_drain(struct connection *c);

/* For the application: */

/* Answers the request that was handed up or is parked, and closes if the answer
 * says so, or connection_ends(). Takes a reference. Behind a parked one the next
 * request may be handed up before this returns. */
void connection_answer(struct connection *c, struct answer *answer);

/* The request will be answered later. Until then its deadline is due_ms, monotonic;
 * its head is kept. */
void connection_park(struct connection *c, int64_t due_ms);

/* Until when it is parked. */
static inline void connection_set_due(struct connection *c, int64_t due_ms)
{
	deadline_set(&c->transport->deadlines, &c->deadline, due_ms);
}

/* Nothing of the head is needed any more, but for what the functions below say. */
void connection_forget_head(struct connection *c);

/* Has a parked request looked at anew, by a function that answers or parks it as
 * handlers.requested() does. */
void connection_resume(struct connection *c,
                       void (*look)(struct connection *c, void *context),
                       void *context);

/* The connection is to close after this request's answer. */
static inline void connection_end_after(struct connection *c)
{
	c->closes = true;
}

/* Whether it will. */
static inline bool connection_ends(const struct connection *c)
{
	return c->closes || c->transport->draining;
}

static inline bool connection_is_parked(const struct connection *c)
{
	return c->state == CONNECTION_PARKED;
}

/* Whether it came over the limit, and there is still no room. */
static inline bool connection_is_too_many(const struct connection *c)
{
	return c->is_surplus && c->transport->count > c->transport->limit;
}

/* The head of the request; NULL: it has not come whole. */
static inline const struct request_head *connection_head(const struct connection *c)
{
	return c->request.is_whole ? &c->request.head : NULL;
}

static inline enum http_method connection_method(const struct connection *c)
{
	return request_parser_method(&c->request);
}

static inline bool connection_has_body(const struct connection *c)
{
	return request_parser_has_body(&c->request);
}

#endif
