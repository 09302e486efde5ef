/* Threads and conditions that either come to be or end the process: like
 * memory, a program at its start can do nothing without them. */
#ifndef LONGROOM_THREAD_H
#define LONGROOM_THREAD_H

#include <pthread.h>

#include "base/buffer.h"

/* The new thread has all signals blocked: they are for the first one. */
pthread_t thread_start(void *(*run)(void *), void *argument);

/* Whether one more can be had now, for libraries that start their own and abort
 * where they can't; *error says why not. */
bool thread_can_start(struct buffer *error);
/* This thread lets others go first for good: it gets a tenth of a processor where
 * they want all of it. */
void thread_give_way(void);

/* A condition whose timed waits go by CLOCK_MONOTONIC. */
void thread_condition_init(pthread_cond_t *condition);

#endif
