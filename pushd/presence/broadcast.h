/* The broadcast: connects the peers (peers.h) with the bus and the loop. */
#ifndef LONGROOM_BROADCAST_H
#define LONGROOM_BROADCAST_H

#include <ev.h>

#include "hub/follower.h"
#include "presence/roster.h"

struct broadcast;

/* roster: what it tells, and where it enters what it hears; borrowed. Nobody is in it
 * yet. NULL: nothing is told, and what it hears is dropped.
 * address: where it publishes; "": nowhere.
 * NULL, and *error says why: it can't publish there. */
struct broadcast *broadcast_start(struct ev_loop *loop, struct roster *roster,
                                  const char *address, struct buffer *error);

/* From now on it hears what the follower gets from the bus. */
void broadcast_hear(struct broadcast *broadcast, struct follower *follower);

/* Tells the others that this process ends, and then no more. */
void broadcast_end(struct broadcast *broadcast);

/* Call when the follower has stopped. Does nothing for NULL. */
void broadcast_stop(struct broadcast *broadcast);

#endif
