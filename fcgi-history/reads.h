/* The reads under way: how many each user has, which is next, and how many are
 * answered at the same time.
 *
 * Reads queue here, apart from POSTs, which are taken as they come. So no POST waits
 * behind a read, however long the pages are. All threads but one answer reads: one
 * is left for POSTs while reads wait for a slow disk. If there is only one thread,
 * it answers both. */
#ifndef LONGROOM_READS_H
#define LONGROOM_READS_H

#include "verbs/request.h"

struct reads;

/* At most queue_limit wait. */
struct reads *reads_new(size_t threads, size_t queue_limit);
/* Call when none is under way. */
void reads_free(struct reads *reads);

/* From any thread: */

/* Counts an authorised read as under way until reads_leave(). False: the user has
 * too many (user_limit; 0: no limit), or too many are queued, and the request was
 * refused. */
bool reads_admit(struct reads *reads, int64_t user_limit,
                 struct request *request);
/* May also be called for a request that is not a counted read. */
void reads_leave(struct reads *reads, struct request *request);

/* Queues an admitted read. */
void reads_put(struct reads *reads, struct request *request);

/* Takes the next read to answer; call reads_done() once it is answered. NULL: none
 * is queued, or the maximum number is being answered. */
struct request *reads_take(struct reads *reads);
void reads_done(struct reads *reads);

bool reads_has_next(struct reads *reads);

/* Whether none is queued or being answered. */
bool reads_is_idle(struct reads *reads);

#endif
