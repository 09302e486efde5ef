/* Requests that are under way, wherever they are: with a worker, or where they wait
 * for a peer, a read, a verification, a save. A worker looks here for the next one,
 * and leaves here what it is done with for now. From any thread. */
#ifndef LONGROOM_INFLIGHT_H
#define LONGROOM_INFLIGHT_H

#include <stdatomic.h>

#include "gateway/listener.h"
#include "router.h"
#include "supervisor.h"
#include "writer/writer.h"

struct inflight {
	const struct router_shared *shared;
	struct listener *listener;
	struct writer *writer;
	size_t part; /* of all requests, that may wait for the same thing */
	struct requests *requests;
	struct request_queue *whole; /* by the supervisor */
	struct request_queue *verified;
	struct reads *reads;
	struct supervisor *supervisor;
	struct slow_peers *slow_peers; /* the supervisor's */
	struct verifications *verifications;
	atomic_size_t verifying; /* until they are in `verified` */
};

/* Borrows all, and is in its place until it is released. At most `limit` requests, of
 * which there are at least four, are under way. */
void inflight_init(struct inflight *inflight, const struct settings *settings,
                   const struct router_shared *shared, struct listener *listener,
                   struct writer *writer, size_t limit);
/* When none is under way. */
void inflight_release(struct inflight *inflight);

/* Starts the threads beside the workers. False: *error says why they can't. */
bool inflight_start(struct inflight *inflight, const struct settings *settings,
                    struct buffer *error);

/* Sends an answer, or as much as there is room for: the rest waits for its reader. */
void inflight_answer(struct inflight *inflight, struct request *request);

/* The request is over. */
void inflight_end(struct inflight *inflight, struct request *request);

/* It waits for its verification, or is refused. */
void inflight_verify(struct inflight *inflight, struct request *request);

/* Nothing is there for a worker but what comes; and nothing will be, once no more
 * connections come. */
bool inflight_is_idle(struct inflight *inflight);
bool inflight_is_over(struct inflight *inflight);

#endif
