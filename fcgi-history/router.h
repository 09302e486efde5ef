/* Finds the verb that answers a request, in a table of paths and their methods.
 * Before the verb runs, the router checks, in this order, what PROTOCOL requires of
 * every request: other origins, path, method, rights, limits.
 *
 * Verbs are in the room below. A verb knows neither other verbs nor the router, nor
 * how requests are passed between threads. A router belongs to one thread. */
#ifndef LONGROOM_ROUTER_H
#define LONGROOM_ROUTER_H

#include "auth/access.h"
#include "live_settings.h"
#include "reads.h"
#include "store/store.h"
#include "verbs/request.h"
#include "verbs/send_limits.h"

/* Shared by all routers. A CGI process has neither limits nor a queue of reads: it
 * answers one request. */
struct router_shared {
	struct live_settings *live;
	struct access *access;
	struct send_limits *sent; /* NULL: none */
	struct reads *reads;      /* NULL: none */
	bool is_daemon;           /* answers /healthz and /metrics */
};

struct router {
	const struct router_shared *shared;
	const struct settings *settings; /* while a request is begun */
	struct store *store;             /* for reading */
};

/* Borrows all. The settings are those of the start. False: *error says why. */
bool router_init(struct router *router, const struct store_settings *settings,
                 const struct router_shared *shared, struct buffer *error);
void router_release(struct router *router);

enum router_next {
	ROUTER_ANSWERED, /* it has its answer */
	ROUTER_VERIFIES, /* verify its token, then begin again */
	ROUTER_READS,    /* an admitted read (reads.h): complete it in its turn */
	ROUTER_SAVES,    /* perform its save, then complete it */
};

/* Begins the request that its gateway has read. */
enum router_next router_begin(struct router *router, struct request *request);

/* Answers a request after ROUTER_READS or ROUTER_SAVES. */
void router_complete(struct router *router, struct request *request);

/* After ROUTER_VERIFIES: answers with an error if too many tokens wait. */
void router_refuse_unverified(struct request *request);

#endif
