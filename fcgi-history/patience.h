/* Ends requests that take too long: a peer that sends, or reads, a byte now and
 * then would hold its worker for ever.
 *
 * A thread watches. It only shuts connections down, so that reading and writing
 * fails; their workers close them. */
#ifndef LONGROOM_PATIENCE_H
#define LONGROOM_PATIENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct patience;

/* For workers that are numbered from 0. Starts the thread. */
struct patience *patience_new(size_t workers, int64_t limit_ms);
void patience_free(struct patience *patience);

/* The worker begins to work for this connection. */
void patience_begin(struct patience *patience, size_t worker, int connection);

/* The worker has closed the connection, or handed it on. Returns whether patience
 * had an end. */
bool patience_end(struct patience *patience, size_t worker);

#endif
