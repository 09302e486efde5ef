/* A thread that answers requests. It accepts a connection and takes the one request
 * on it. Then it answers the request, passes it to the writer, or, if it is a read,
 * queues it for the first worker that has nothing else to do. It never waits for a
 * peer. */
#ifndef LONGROOM_WORKER_H
#define LONGROOM_WORKER_H

#include <pthread.h>

#include "inflight.h"

struct worker {
	size_t number;
	pthread_t thread;
	struct router router;
	struct inflight *inflight;
	struct concurrency *concurrency;
	int place; /* the descriptor that it waits on */
	int feed;  /* gateway.h */
	struct request *spare; /* for the next connection, or NULL */
	struct buffer input;   /* memory for the next request's bytes */
	int begun;             /* since it answered a read */
	int64_t wait_ms; /* from when on it waits for the first of a request */
};

/* Borrows all. False: *error says why; release it nevertheless. */
bool worker_init(struct worker *worker, size_t number,
                 const struct settings *settings, struct inflight *inflight,
                 struct buffer *error);
void worker_release(struct worker *worker);

/* Starts the thread; call it after inflight_start(). The thread ends when the
 * listener has ended and nothing is left to do. */
void worker_start(struct worker *worker);

#endif
