/* The thread that keeps workers from being blocked. It waits for slow peers in their
 * place (slow_peers.h), and runs the watchdog of the concurrency limit
 * (concurrency.h). Both say when they must be called again. The thread holds no lock
 * meanwhile, and checks the workers between one peer and the next. */
#ifndef LONGROOM_SUPERVISOR_H
#define LONGROOM_SUPERVISOR_H

#include "concurrency.h"
#include "gateway/slow_peers.h"

struct supervisor;

/* Starts the thread. `place` and `wake` of the plan for peers are filled in here. At
 * most `limit` workers run at once. NULL: *error says why. */
struct supervisor *supervisor_start(const struct slow_peers_plan *plan,
                                    size_t limit, size_t workers,
                                    struct buffer *error);

/* Borrowed until supervisor_finish(). */
struct slow_peers *supervisor_peers(struct supervisor *supervisor);
struct concurrency *supervisor_concurrency(struct supervisor *supervisor);

/* Call when all workers have ended and no peer will be added. Waits for the peers
 * that still read (slow_peers_end_readers()), ends the thread and frees all. */
void supervisor_finish(struct supervisor *supervisor);

#endif
