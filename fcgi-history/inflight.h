/* The requests under way: with a worker, or waiting for a peer, a read, a
 * verification or a save. A worker takes the next one from here, and puts here what
 * has to wait. From any thread. */
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
	size_t part; /* how many requests may wait for the same thing */
	struct requests *requests;
	struct request_queue *whole; /* by the supervisor */
	struct request_queue *verified;
	struct reads *reads;
	struct supervisor *supervisor;
	struct slow_peers *slow_peers; /* the supervisor's */
	struct verifications *verifications;
	atomic_size_t verifying; /* until they are in `verified` */
};

/* Borrows all. Must not move until it is released. At most `limit` requests, at
 * least four, are under way. */
void inflight_init(struct inflight *inflight, const struct settings *settings,
                   const struct router_shared *shared, struct listener *listener,
                   struct writer *writer, size_t limit);
/* Call when none is under way. */
void inflight_release(struct inflight *inflight);

/* Starts the threads other than workers. False: *error says why they can't start. */
bool inflight_start(struct inflight *inflight, const struct settings *settings,
                    struct buffer *error);

/* Sends an answer, as far as there is room. The rest waits for the peer. */
void inflight_answer(struct inflight *inflight, struct request *request);

/* The request is over. */
void inflight_end(struct inflight *inflight, struct request *request);

/* Queues a request for its verification, or refuses it. */
void inflight_verify(struct inflight *inflight, struct request *request);

/* The first: no work is left except new connections. The second: nor will there be
 * any once connections stop coming. */
bool inflight_is_idle(struct inflight *inflight);
bool inflight_is_over(struct inflight *inflight);

#endif
