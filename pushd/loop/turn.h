/* What the loop may do at a time, so that a client that asks for little is not kept
 * waiting by those that ask for much.
 *
 * What is short is done when it comes: a head, a page of a few messages, an answer
 * that the kernel takes at once. What is long waits in a queue, first in, first
 * out, of which a share is done every TURN_PAUSE_MS: pages that have to be rendered
 * (hub.long_pages) or were read from the log (log_read.again), answers that have to
 * be copied to their readers and requests sent ahead (server.put_off), deadlines
 * that come together (deadlines.due). A share takes less time than the pause, so
 * the loop sleeps between two of them: a program that never does is made to wait
 * for the processor by the system, and its good clients with it.
 *
 * Time is looked at where the number of things says nothing of what they cost:
 * events, frames. */
#ifndef LONGROOM_TURN_H
#define LONGROOM_TURN_H

enum {
	TURN_PAUSE_MS = 1,
	TURN_US = 1000,              /* of events, and of frames */
	TURN_LONG_BYTES = 16 * 1024, /* an answer of more is long */
	/* These may be passed by one page. */
	TURN_RENDER_BYTES = 256 * 1024,
	TURN_WRITE_BYTES = 1024 * 1024,
	TURN_DEADLINES = 64,
	/* For each listening socket: who is not accepted soon finds the backlog full. */
	TURN_ACCEPTS = 256,
	TURN_REQUESTS = 16, /* of a connection that sends them ahead */
	TURN_READS = 4,     /* of a connection */
};

#endif
