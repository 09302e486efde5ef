/* The concurrency limit: only as many workers run at a time as there are processors
 * for them. Each running worker has a permit; the others sleep.
 *
 * More running workers would do less work, since the processors would be busy
 * switching threads. But a worker may block, on a disk. So there is a watchdog: a
 * worker that runs for longer than CONCURRENCY_WATCHDOG_MS loses its permit to
 * another, and waits for a new one when it is done. */
#ifndef LONGROOM_CONCURRENCY_H
#define LONGROOM_CONCURRENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CONCURRENCY_WATCHDOG_MS = 5 };

struct concurrency;

/* Workers are numbered from 0. `wake` is a borrowed eventfd on which the thread that
 * calls concurrency_watch() waits. */
struct concurrency *concurrency_new(size_t limit, size_t workers, int wake);
void concurrency_free(struct concurrency *c);

/* By the workers: */

/* Waits for a permit. Returns at once if this worker has one. */
void concurrency_acquire(struct concurrency *c, size_t worker);

/* Work begins and ends, with a permit. False: the permit was lost meanwhile. */
void concurrency_begin_work(struct concurrency *c, size_t worker);
bool concurrency_end_work(struct concurrency *c, size_t worker);

/* By one other thread: */

/* The watchdog: takes the permits of blocked workers. Never waits. Returns the
 * milliseconds until it must be called again; -1: call it when woken. */
int concurrency_watch(struct concurrency *c, int64_t now_us);

/* At shutdown, from any thread: gives every worker a permit for good. */
void concurrency_lift(struct concurrency *c);

#endif
