/* One client's connection: reads a request, waits for the hub, writes the
 * answer, and again.
 *
 * While it waits it has no buffers and stays registered for reading, so that a
 * client that goes away is noticed, and a request and its answer cost one recv
 * and one send. A client that has ended its side may still read: what it has
 * asked is answered as far as that needs no waiting, then it is closed (PROTOCOL
 * section 6). What a client sends before it has its answer (pipelining, RFC
 * 9112 section 9.3.2) is kept up to limits.request_head. */
#ifndef LONGROOM_CONNECTION_H
#define LONGROOM_CONNECTION_H

#include <http_parser.h>

#include "base/clock.h"
#include "base/users.h"
#include "loop/deadlines.h"
#include "head_check.h"
#include "loop/poller.h"
#include "request_head.h"
#include "unread.h"
#include "verifier.h"
#include "hub/hub.h"

struct server;

enum connection_state {
	CONNECTION_IDLE,      /* between requests */
	CONNECTION_HEAD,      /* a request has begun */
	CONNECTION_VERIFYING, /* a request's token is with the verifier; its head is
	                       * kept, and it is no waiter yet */
	CONNECTION_WAITING,   /* for the hub */
	CONNECTION_WRITING,   /* the client reads slowly */
	CONNECTION_LINGERING, /* answered for good; reads what is still sent, lest
	                       * the kernel throws the answer away (RFC 9112
	                       * section 9.6) */
	CONNECTION_DEAD,      /* closed; freed at the end of the loop's turn */
};

struct connection {
	struct server *server;
	struct list all; /* in server.connections, or server.dead */
	struct list put_off; /* in server.put_off while it has more to do */
	struct deadline deadline; /* set unless DEAD */
	struct waiter waiter;
	int fd;
	enum connection_state state;
	bool is_kept;      /* it has had an answer, and was kept for the next */
	bool is_surplus;   /* came over max_connections: refused while it is so */
	bool closes;       /* after this request */
	bool is_overdue;   /* its time is up, but its read of the log isn't back */
	bool has_ended;    /* its client says no more: all of that is to be read */
	struct http_parser parser;
	struct head_check head_check;
	int64_t head_size;   /* bytes of this request so far */
	bool is_head;        /* its method is HEAD */
	struct request_head head; /* its bytes are released when it waits */
	const struct text *headers; /* that this request's answer has beside its
	                             * own */
	struct verification *verification; /* VERIFYING: under way; else NULL */
	struct user *user;   /* whose poll waits; held. NULL: not known by name */
	struct moment expires; /* when it may wait no longer */
	struct buffer input;  /* received but not yet parsed; in state IDLE only
	                       * while it is put off */
	struct answer *answer; /* being written; NULL: none */
	bool is_watched; /* WRITING: for when the kernel takes more */
	size_t written;
	size_t progress; /* WRITING: what was written when its time began */
	struct unread_reader reader; /* in server.unread while WRITING */
};

/* Takes the descriptor. */
void connection_new(struct server *server, int fd, bool is_surplus);

/* Closes it at once; it is freed later by the server. */
void connection_close(struct connection *c);
void connection_free(struct connection *c);

/* The verifier's answer; the owner is the connection. */
void connection_verified(void *owner, struct token_proof *proof);

/* The wall clock was set forward. */
void connection_heed_clock(struct connection *c);
/* Its turn has come to do more of what was put off. */
void connection_go_on(struct connection *c);

/* Its deadline has passed. */
void connection_expire(struct connection *c);

/* Ends it in good order, once server.draining is set: answers a waiter, lets a
 * writer finish, and a client say what it has begun to. */
void connection_drain(struct connection *c);

/* What the poller tells of it; the owner is the connection. */
void connection_ready(void *owner, const struct poller_signs *signs);

/* What the hub has for the waiters of connections. */
extern const struct hub_handlers connection_waits;

#endif
