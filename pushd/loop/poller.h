/* Which connections are ready: epoll(7), edge-triggered, seen by libev as one
 * descriptor.
 *
 * libev watches level-triggered. For each event the kernel then looks at the
 * socket twice, once to tell it and once to find that there is no more, and that
 * is a good part of what a delivery costs. Edge-triggered, a change is told once:
 * a short read has taken all there was, and what comes later is told anew. But
 * that the peer has hung up is told together with its last bytes, and not again:
 * the owner is told of it by a sign of its own. */
#ifndef LONGROOM_POLLER_H
#define LONGROOM_POLLER_H

#include <ev.h>
#include <stdbool.h>

/* What has become of a descriptor; any of them together. */
struct poller_signs {
	bool can_read;
	bool can_write;
	bool has_ended; /* its peer says no more; there may be bytes to read before
	                 * that. It may still read what it gets */
	bool is_broken; /* nothing written will reach its peer any more */
};

/* The owner may have been closed a moment ago. */
typedef void poller_ready(void *owner, const struct poller_signs *signs);

struct poller {
	struct ev_loop *loop;
	struct ev_io io;
	poller_ready *ready;
};

/* False, with errno, if the system has no epoll for us. */
bool poller_init(struct poller *poller, struct ev_loop *loop,
                 poller_ready *ready);
void poller_release(struct poller *poller);

/* Watches for reading until the descriptor is closed; its owner lives till the
 * end of that turn of the loop. False, with errno, if no more can be watched. */
bool poller_add(struct poller *poller, int fd, void *owner);

/* Watches for writing too, or no more. */
void poller_watch_writing(struct poller *poller, int fd, void *owner,
                          bool writing);

#endif
