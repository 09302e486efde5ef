/* How much the loop does at a time, so that a client that asks for little does not
 * wait for those that ask for much.
 *
 * Short work is done at once: a head, a page of a few messages, an answer that the
 * kernel takes in one piece. Long work waits in queues, first in, first out; a share
 * of it is done every TURN_PAUSE_MS. Long work is: pages to be rendered
 * (hub.long_pages), pages read from the log (log_read.again), long answers to be
 * written and requests sent ahead (transport.put_off), deadlines that come at
 * the same time (deadlines.due), and signals that polls of many rooms get at the same
 * time (hub.deferring).
 *
 * A share takes less time than the pause, so the loop sleeps between shares. A
 * program that never sleeps loses its priority for the processor, and all of its
 * clients wait.
 *
 * Shares are limited by time where the number of items does not tell their cost:
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
	/* For each listening socket: connections not accepted soon fill the
	 * backlog. */
	TURN_ACCEPTS = 256,
	TURN_REQUESTS = 16, /* of a connection that sends them ahead */
	TURN_READS = 4,     /* of a connection */
};

#endif
