/* A stream of events: an admitted request that asks the hub again by itself, whenever
 * what it was sent last has left. So a slow reader gets fewer and larger pieces, and
 * never has a queue of its own.
 *
 * While its connection is parked, its waiter waits in the hub; while a piece is being
 * written, the waiter is idle. The first event, ready, comes with the first delivery,
 * which is given at once: empty, if nothing is new. Only if the log must be read for it,
 * the head goes ahead, with a comment. */
#ifndef LONGROOM_STREAM_H
#define LONGROOM_STREAM_H

#include "poll/poll.h"

/* Asks the hub. Afterwards the stream has begun, and may have ended. */
void stream_begin(struct poll *poll, const struct poll_request *request,
                  const struct pass *pass);

/* The hub's answers to its waiter. */
void stream_take_delivery(struct poll *poll, struct delivery *delivery);
void stream_take_refusal(struct poll *poll, struct problem problem);

/* Tells it of a room that it watches. False: not now. */
bool stream_tell(struct poll *poll, struct watched *room);

/* The transport's events (transport.h): */
void stream_go_on(struct poll *poll); /* a piece is written */
void stream_expire(struct poll *poll);
void stream_heed_clock(struct poll *poll);
void stream_drain(struct poll *poll);
/* It has ended, or its client is gone. */
void stream_release(struct poll *poll);

#endif
