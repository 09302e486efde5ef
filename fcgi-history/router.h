/* What a request asks for, and so which verb answers it: a table has a row a path and
 * says which methods it takes. Before the verb come, in this order, what PROTOCOL
 * says of every request: other origins, the path, the method, rights, limits.
 *
 * Verbs stand below. None knows another, the router, or how requests are handed from
 * thread to thread. A router belongs to one thread. */
#ifndef LONGROOM_ROUTER_H
#define LONGROOM_ROUTER_H

#include "auth/access.h"
#include "live_settings.h"
#include "reads.h"
#include "store/store.h"
#include "verbs/request.h"
#include "verbs/send_limits.h"

/* What all routers have in common. A CGI process has neither limits nor reads: it
 * answers one request. */
struct router_shared {
	struct live_settings *live;
	struct access *access;
	struct send_limits *sent; /* NULL: none */
	struct reads *reads;      /* NULL: none */
	bool is_daemon;           /* there is something for the operator to ask */
};

struct router {
	const struct router_shared *shared;
	const struct settings *settings; /* while a request is begun */
	struct store *store;             /* for reading */
};

/* Borrows all; the settings are those of the start. False: *error says why. */
bool router_init(struct router *router, const struct store_settings *settings,
                 const struct router_shared *shared, struct buffer *error);
void router_release(struct router *router);

enum router_next {
	ROUTER_ANSWERED, /* it has its answer */
	ROUTER_VERIFIES, /* its verification is to be done, then it begins anew */
	ROUTER_READS,    /* it was admitted (reads.h), and is to be completed */
	ROUTER_SAVES,    /* its save is to be done, then it is to be completed */
};

/* Begins with the request that the gateway has. */
enum router_next router_begin(struct router *router, struct request *request);

/* Answers after ROUTER_READS or ROUTER_SAVES. */
void router_complete(struct router *router, struct request *request);

/* Answers after ROUTER_VERIFIES, if too many wait for that. */
void router_refuse_unverified(struct request *request);

#endif
