/* A thread that answers requests. It accepts: it takes a connection and the one
 * request on it, answers it, or hands it to the writer, or queues it if it is a read,
 * for whichever worker has nothing else to do. It waits for no peer. */
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
	int place; /* where it waits */
	int feed;  /* gateway.h */
	struct request *spare; /* for the next connection, or NULL */
	struct buffer input;   /* memory for what comes on it */
	int begun;             /* since it answered a read */
	int64_t wait_ms; /* from when on it waits for the first of a request */
};

/* Borrows all. False: *error says why; it is to be released all the same. */
bool worker_init(struct worker *worker, size_t number,
                 const struct settings *settings, struct inflight *inflight,
                 struct buffer *error);
void worker_release(struct worker *worker);

/* Starts the thread, after inflight_start(). It ends when the listener has and
 * nothing is left to do. */
void worker_start(struct worker *worker);

#endif
