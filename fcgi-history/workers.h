/* The threads that answer requests. Workers accept: each takes a connection,
 * reads the one request on it and answers it, or hands it to the writer. The
 * finisher answers those that come back from there. */
#ifndef LONGROOM_WORKERS_H
#define LONGROOM_WORKERS_H

#include "listener.h"
#include "service.h"

struct workers;

/* Starts settings.history_threads workers and the finisher, which takes what is
 * in the queue `saved`. Borrows everything. At most request_limit requests are
 * worked on at the same time, those that wait to be saved among them. NULL: *error
 * says why. */
struct workers *workers_start(const struct settings *settings,
                              const struct service_shared *shared,
                              struct listener *listener,
                              struct save_queue *saved, size_t request_limit,
                              struct buffer *error);

/* After listener_end(): waits until all that was accepted is read. */
void workers_join(struct workers *workers);

/* After the writer was stopped: waits until all is answered, and frees all. */
void workers_finish(struct workers *workers);

#endif
