/* Threads that take turns: so many are at work at once as there are processors
 * for, and the others sleep.
 *
 * More threads at work do less: each request then finds another thread awake, or
 * has to wake one, and the processors are busy changing threads. But one may be
 * held up, by a disk or by a peer; whoever is at work for longer than
 * TURN_MS loses its turn to another thread, and waits for a new one when it is
 * done. */
#ifndef LONGROOM_TURNS_H
#define LONGROOM_TURNS_H

#include <stdbool.h>
#include <stddef.h>

enum { TURN_MS = 5 };

struct turns;

/* For threads that are numbered from 0. Starts a thread of its own, which watches
 * while anybody is at work. */
struct turns *turns_new(size_t at_once, size_t threads);

/* When the threads have ended. */
void turns_free(struct turns *turns);

/* Waits until it is this thread's turn; at once if it has one still. */
void turns_take(struct turns *turns, size_t thread);

/* Work begins and ends, within a turn. False: the turn was lost meanwhile. */
void turns_begin_work(struct turns *turns, size_t thread);
bool turns_end_work(struct turns *turns, size_t thread);

/* Gives everybody a turn, for good: it is time to end. */
void turns_end(struct turns *turns);

#endif
