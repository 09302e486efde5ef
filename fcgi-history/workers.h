/* The threads that answer requests: workers, and the responder, which answers what
 * comes back from the writer. No thread waits for a peer: the supervisor does, for
 * all. */
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
	struct save_queue *saved; /* by the writer */
	/* Requests that may be under way at the same time, those that wait to be
	 * saved among them: at least four. */
	size_t request_limit;
};

/* Starts settings.history.threads workers, the responder, and the threads beside
 * them. Borrows everything. NULL: *error says why. */
struct workers *workers_start(const struct workers_plan *plan,
                              struct buffer *error);

/* After listener_end(): waits until all that was accepted is read, or has taken too
 * long (slow_peers.h). */
void workers_join(struct workers *workers);

/* After the writer was stopped: waits until all is answered, and frees all. */
void workers_finish(struct workers *workers);

#endif
