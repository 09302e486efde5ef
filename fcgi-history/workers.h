/* The threads that answer requests: each takes a connection, answers the one
 * request on it, and closes it. */
#ifndef LONGROOM_WORKERS_H
#define LONGROOM_WORKERS_H

#include "connections.h"
#include "service.h"

struct workers;

/* Starts settings.history_threads of them. Borrows everything. NULL: *error
 * says why. */
struct workers *workers_start(const struct settings *settings,
                              struct live_settings *live, struct writer *writer,
                              struct connections *connections,
                              struct buffer *error);

/* After connections_end(): waits until all that was accepted is answered. */
void workers_join(struct workers *workers);

#endif
