/* The thread that watches over the workers, so that nothing holds them up: it waits
 * for slow peers in their place (slow_peers.h), and is the watchdog of the
 * concurrency limit (concurrency.h). Both are asked what is to be done and when to
 * look again; it holds no lock meanwhile, and looks after the workers between one
 * peer and the next. */
#ifndef LONGROOM_SUPERVISOR_H
#define LONGROOM_SUPERVISOR_H

#include "concurrency.h"
#include "gateway/slow_peers.h"

struct supervisor;

/* Starts the thread. Takes a plan for peers without `place` and `wake`, and at most
 * `limit` workers work at once. NULL: *error says why it can't. */
struct supervisor *supervisor_start(const struct slow_peers_plan *plan,
                                    size_t limit, size_t workers,
                                    struct buffer *error);

/* Borrowed until supervisor_finish(). */
struct slow_peers *supervisor_peers(struct supervisor *supervisor);
struct concurrency *supervisor_concurrency(struct supervisor *supervisor);

/* When all workers have ended, and no peer will be handed over: waits for those that
 * read (slow_peers_end_readers()), ends the thread and frees all. */
void supervisor_finish(struct supervisor *supervisor);

#endif
