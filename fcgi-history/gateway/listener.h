/* The source of connections. Every worker accepts for itself: a request that arrives
 * while a worker is awake needs no thread switch. Of the sleeping workers the kernel
 * wakes one. */
#ifndef LONGROOM_LISTENER_H
#define LONGROOM_LISTENER_H

#include "os/endpoint.h"

struct listener;

/* Borrows the endpoint. NULL: *error says why. */
struct listener *listener_new(const struct endpoint *endpoint,
                              struct buffer *error);
void listener_free(struct listener *listener);

/* Returns a descriptor for a thread to wait on, which the caller closes with
 * close(2). -1: *error says why. */
int listener_join(struct listener *listener, struct buffer *error);

/* Returns the next connection. -1: there is none, or no more are accepted. */
int listener_accept(struct listener *listener);

/* Sleeps until there may be a connection, or until listener_wake() or listener_end()
 * is called. First registers for wake-ups, then calls is_idle(context), and returns
 * at once if that is false; so no wake-up is lost. */
void listener_wait(struct listener *listener, int place,
                   bool (*is_idle)(void *context), void *context);

/* Sleeps for a moment, while nothing can be accepted. */
void listener_pause(void);

/* From any thread: wakes a sleeping thread for work other than accepting. */
void listener_wake(struct listener *listener);

/* From any thread: ends accepting. The backlog is still accepted, unless the socket
 * outlives this process and the next one will find it there
 * (endpoint.outlives_us). */
void listener_end(struct listener *listener);
bool listener_has_ended(struct listener *listener);

#endif
