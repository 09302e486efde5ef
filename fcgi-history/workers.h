/* The threads that answer requests: workers, and the responder, which answers
 * requests that come back from the writer. Only the supervisor waits for peers, for
 * all threads. */
#ifndef LONGROOM_WORKERS_H
#define LONGROOM_WORKERS_H

#include "gateway/listener.h"
#include "router.h"
#include "writer/writer.h"

struct workers;

struct workers_plan {
	const struct settings *settings; /* those of the start */
	struct router_shared *shared;    /* its reads are set */
	struct listener *listener;
	struct writer *writer;
	struct save_queue *saved; /* from the writer */
	/* The number of requests that may be under way at the same time, including
	 * those that wait to be saved; at least four. */
	size_t request_limit;
};

/* Starts settings.history.threads workers, the responder, and the threads beside
 * them. Borrows everything. NULL: *error says why. */
struct workers *workers_start(const struct workers_plan *plan,
                              struct buffer *error);

/* After listener_end(): waits until all accepted requests are complete or have timed
 * out (slow_peers.h). */
void workers_join(struct workers *workers);

/* After the writer has stopped: waits until all requests are answered, and frees
 * all. */
void workers_finish(struct workers *workers);

#endif
