/* The concurrency limit: so many workers are at work at once as there are processors
 * for, each with a permit, and the others sleep.
 *
 * More at work do less: each request then finds another thread awake, or has to wake
 * one, and the processors are busy changing threads. But one may be held up, by a
 * disk. So there is a watchdog: a worker that is at work for longer than
 * CONCURRENCY_WATCHDOG_MS loses its permit to another, and waits for a new one when
 * it is done. */
#ifndef LONGROOM_CONCURRENCY_H
#define LONGROOM_CONCURRENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CONCURRENCY_WATCHDOG_MS = 5 };

struct concurrency;

/* For workers that are numbered from 0. `wake` is an eventfd, borrowed, on which the
 * thread of concurrency_watch() waits. */
struct concurrency *concurrency_new(size_t limit, size_t workers, int wake);
void concurrency_free(struct concurrency *c);

/* By the workers: */

/* Waits for a permit; not at all while this worker has one. */
void concurrency_acquire(struct concurrency *c, size_t worker);

/* Work begins and ends, with a permit. False: it was lost meanwhile. */
void concurrency_begin_work(struct concurrency *c, size_t worker);
bool concurrency_end_work(struct concurrency *c, size_t worker);

/* By one other thread: */

/* The watchdog: takes the permits of those that are held up. To be called again
 * within so many milliseconds, or (-1) once woken. It waits for nothing. */
int concurrency_watch(struct concurrency *c, int64_t now_us);

/* From any thread: gives every worker a permit, for good. It is time to end. */
void concurrency_lift(struct concurrency *c);

#endif
