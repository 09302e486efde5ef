/* Threads and conditions. Failure to create one ends the process: as with memory, a
 * program that starts cannot do without. */
#ifndef LONGROOM_THREAD_H
#define LONGROOM_THREAD_H

#include <pthread.h>

#include "base/buffer.h"

/* The new thread has all signals blocked: the main thread takes them. */
pthread_t thread_start(void *(*run)(void *), void *argument);

/* Whether one more thread can be started now. Call it before using a library that
 * starts threads and aborts on failure. False: *error says why. */
bool thread_can_start(struct buffer *error);
/* Lowers the priority of this thread for good: on a busy machine it gets about a
 * tenth of a processor. */
void thread_give_way(void);

/* Makes a condition whose timed waits use CLOCK_MONOTONIC. */
void thread_condition_init(pthread_cond_t *condition);

#endif
