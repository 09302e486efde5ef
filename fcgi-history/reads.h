/* Reads that are under way: how many of a user, which is next, and how many are
 * answered at the same time.
 *
 * They queue here, apart from POSTs, which are taken as they come: so no POST
 * waits behind a read, however long the pages are. One thread fewer than there are
 * answers reads, so that one is left for POSTs when all reads wait for a slow
 * disk; with one thread there is none to be left. */
#ifndef LONGROOM_READS_H
#define LONGROOM_READS_H

#include "verbs/request.h"

struct reads;

/* At most queue_limit wait. */
struct reads *reads_new(size_t threads, size_t queue_limit);
/* When none is under way. */
void reads_free(struct reads *reads);

/* From any thread: */

/* A request of a user that may read is one that is under way, until reads_leave().
 * False: it is one too many of theirs (user_limit; 0: there is none), or of all, and
 * was refused. */
bool reads_admit(struct reads *reads, int64_t user_limit,
                 struct request *request);
/* Also for those that are none. */
void reads_leave(struct reads *reads, struct request *request);

/* Queues an admitted one. */
void reads_put(struct reads *reads, struct request *request);

/* The next one to be answered, and reads_done() when it is; NULL: there is none, or
 * as many are being answered as may be. */
struct request *reads_take(struct reads *reads);
void reads_done(struct reads *reads);

bool reads_has_next(struct reads *reads);

/* None is queued or being answered. */
bool reads_is_idle(struct reads *reads);

#endif
