/* Where connections come from. Every worker accepts for itself: a request that
 * comes while one is awake costs no change of threads, and of those that sleep
 * the kernel wakes one. */
#ifndef LONGROOM_LISTENER_H
#define LONGROOM_LISTENER_H

#include "endpoint.h"

struct listener;

/* Borrows the endpoint. */
struct listener *listener_new(const struct endpoint *endpoint);
void listener_free(struct listener *listener);

/* A thread's place to wait at, for listener_accept(); it closes it by
 * close(2). */
int listener_join(struct listener *listener);

/* The next connection, which blocks, and fails after some silence; -1 when
 * listener_end() was called. What is in the backlog then is still accepted,
 * unless the next of us will find it there (endpoint.outlives_us). */
int listener_accept(struct listener *listener, int place);

/* From any thread. */
void listener_end(struct listener *listener);

#endif
