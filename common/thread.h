/* Threads and conditions that either come to be or end the process: like
 * memory, a program at its start can do nothing without them. */
#ifndef LONGROOM_THREAD_H
#define LONGROOM_THREAD_H

#include <pthread.h>

/* The new thread has all signals blocked: they are for the first one. */
pthread_t thread_start(void *(*run)(void *), void *argument);

/* A condition whose timed waits go by CLOCK_MONOTONIC. */
void thread_condition_init(pthread_cond_t *condition);

#endif
