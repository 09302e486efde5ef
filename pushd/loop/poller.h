/* Finds the connections that are ready, with edge-triggered epoll(7). libev sees it
 * as one descriptor.
 *
 * libev itself is level-triggered: for each event the kernel checks the socket
 * twice, once to report it and once to find that nothing is left. That is a good
 * part of a delivery's cost. Edge-triggered, a change is reported once: a short read
 * has taken everything, and later bytes are reported again. But the peer's end is
 * reported only once, together with its last bytes, so the owner gets a separate
 * flag for it. */
#ifndef LONGROOM_POLLER_H
#define LONGROOM_POLLER_H

#include <ev.h>
#include <stdbool.h>

/* The events of a descriptor; any of them may be set together. */
struct poller_signs {
	bool can_read;
	bool can_write;
	bool has_ended; /* the peer sends no more; there may be bytes left to read.
	                 * The peer may still read */
	bool is_broken; /* nothing written will reach its peer any more */
};

/* The owner may already be closed. */
typedef void poller_ready(void *owner, const struct poller_signs *signs);

struct poller {
	struct ev_loop *loop;
	struct ev_io io;
	poller_ready *ready;
};

/* False: epoll is not available, and errno says why. */
bool poller_init(struct poller *poller, struct ev_loop *loop,
                 poller_ready *ready);
void poller_release(struct poller *poller);

/* Watches for reading until the descriptor is closed. The owner must live until the
 * end of that turn of the loop. False, with errno: no more can be watched. */
bool poller_add(struct poller *poller, int fd, void *owner);

/* Starts or stops watching for writing too. */
void poller_watch_writing(struct poller *poller, int fd, void *owner,
                          bool writing);

#endif
