/* Feeds the hub with the log.
 *
 * The log is the truth, the bus is a hint. A frame that continues what the hub holds
 * is taken. A frame that leaves a gap only causes a read of the log. The log is also
 * read every second. So a lost frame, a publisher killed between commit and publish,
 * or another program's INSERT costs about a second, never a message. */
#ifndef LONGROOM_FOLLOWER_H
#define LONGROOM_FOLLOWER_H

#include "bus/bus.h"
#include "hub/hub.h"

struct follower;

/* What else is on the bus: frames whose first byte is OTHER_FRAMES_FROM or more are of
 * other publishers. {0}: they are dropped. */
enum { OTHER_FRAMES_FROM = 128 };

struct other_frames {
	/* Takes a frame, which it borrows. */
	void (*take)(void *context, struct text frame);
	/* How many of the connected publishers send such frames: they say nothing of
	 * the log. */
	size_t (*publishers)(void *context);
	void *context;
};

/* Fills the hub from the tail of the log, then follows. Borrows all. */
struct follower *follower_start(struct ev_loop *loop, struct hub *hub,
                                struct log_reader *reader, struct bus *bus);
/* From now on these take the other frames. */
void follower_hand_on(struct follower *follower, const struct other_frames *others);
void follower_stop(struct follower *follower);

#endif
