/* The threads that answer requests. Workers accept: each takes a connection and the
 * one request on it, answers it, or hands it to the writer, or queues it if it is a
 * read, for whichever worker has nothing else to do. The finisher answers what comes
 * back from the writer. No thread waits for a peer: slow_peers does, for all. */
#ifndef LONGROOM_WORKERS_H
#define LONGROOM_WORKERS_H

#include "gateway/listener.h"
#include "router.h"
#include "writer/writer.h"

struct workers;

/* Starts settings.history.threads workers and the finisher, which takes what is
 * in the queue `saved`. Borrows everything, and sets shared->reads. At most
 * request_limit requests, of which there are at least four, are under way at the
 * same time, those that wait to be saved among them. NULL: *error says why. */
struct workers *workers_start(const struct settings *settings,
                              struct router_shared *shared,
                              struct listener *listener,
                              struct writer *writer,
                              struct save_queue *saved, size_t request_limit,
                              struct buffer *error);

/* After listener_end(): waits until all that was accepted is read, or has taken too
 * long (slow_peers.h). */
void workers_join(struct workers *workers);

/* After the writer was stopped: waits until all is answered, and frees all. */
void workers_finish(struct workers *workers);

#endif
