/* Where connections come from. Every worker accepts for itself: a request that
 * comes while one is awake costs no change of threads, and of those that sleep
 * the kernel wakes one. */
#ifndef LONGROOM_LISTENER_H
#define LONGROOM_LISTENER_H

#include "os/endpoint.h"

struct listener;

/* Borrows the endpoint. NULL: *error says why. */
struct listener *listener_new(const struct endpoint *endpoint,
                              struct buffer *error);
void listener_free(struct listener *listener);

/* A thread's place to wait at, which it closes by close(2). -1: *error says why
 * there can be none. */
int listener_join(struct listener *listener, struct buffer *error);

/* The next connection; -1: none is there, or none is to be taken any more. */
int listener_accept(struct listener *listener);

/* Sleeps until there may be a connection, or listener_wake() or listener_end() was
 * called. is_idle(context) is asked after the moment from which on it would be
 * woken: if it says no, there is no sleep. */
void listener_wait(struct listener *listener, int place,
                   bool (*is_idle)(void *context), void *context);

/* The same while nothing can be accepted: for a moment. */
void listener_pause(void);

/* From any thread: there is something to do besides accepting, for one that
 * sleeps. */
void listener_wake(struct listener *listener);

/* From any thread. What is in the backlog is still accepted, unless the next of us
 * will find it there (endpoint.outlives_us). */
void listener_end(struct listener *listener);
bool listener_has_ended(struct listener *listener);

#endif
