/* Feeds the hub with the log.
 *
 * The log is the truth, the bus is a hint. A frame that continues what the hub
 * holds is taken; one that leaves a hole only says that the log is to be read,
 * and so does every second that passes. So a frame lost, a publisher killed
 * between commit and publish, or somebody else's INSERT costs about a second,
 * never a message. */
#ifndef LONGROOM_FOLLOWER_H
#define LONGROOM_FOLLOWER_H

#include "bus/bus.h"
#include "hub/hub.h"

struct follower;

/* Fills the hub from the tail of the log, then follows. Borrows all. */
struct follower *follower_start(struct ev_loop *loop, struct hub *hub,
                                struct log_reader *reader, struct bus *bus);
void follower_stop(struct follower *follower);

#endif
