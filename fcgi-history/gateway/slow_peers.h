/* Slow FastCGI peers: those that have not sent all of a request, or have not read
 * all of an answer. One thread waits for all of them, so that none holds a worker.
 * The thread is the owner's; nothing here waits.
 *
 * A peer is disconnected (longroom.conf(5)) if it makes no progress for
 * SLOW_PEERS_SILENCE_MS, or takes longer than history.request_timeout in all. If the
 * peers of one kind are too many, or take more memory than limits.unread, those
 * without progress for longest are disconnected first. */
#ifndef LONGROOM_SLOW_PEERS_H
#define LONGROOM_SLOW_PEERS_H

#include "gateway/exchange.h"

enum {
	SLOW_PEERS_SILENCE_MS = 10000,
	/* At shutdown: the time for peers that send, then for peers that read. */
	SLOW_PEERS_END_MS = 3000,
	SLOW_PEERS_LAST_MS = 1000,
};

struct slow_peers;

struct slow_peers_plan {
	int64_t request_timeout_ms;
	size_t most; /* of each kind */
	/* Borrowed from the owner: an epoll set to which connections are added, each
	 * with its exchange as data.ptr, and an eventfd that wakes the thread. */
	int place, wake;
	/* Returns the current limits.unread. */
	size_t (*unread_limit)(void *context);
	/* Called on that thread with an exchange that has left: */
	void (*whole)(void *context, struct exchange *exchange);
	void (*broken)(void *context, struct exchange *exchange);
	void (*answered)(void *context, struct exchange *exchange);
	void *context;
};

struct slow_peers *slow_peers_new(const struct slow_peers_plan *plan);
/* When it is over. */
void slow_peers_free(struct slow_peers *peers);

/* From any thread. The exchange belongs to slow_peers until it comes back: */

/* Waits for the rest of a request (intake.h). It comes back complete or broken. */
void slow_peers_await_request(struct slow_peers *peers, struct exchange *exchange);

/* Waits until the answer (response.h) has been read. It comes back answered. */
void slow_peers_await_reader(struct slow_peers *peers, struct exchange *exchange);

size_t slow_peers_senders(struct slow_peers *peers);

/* Shutdown begins: peers that still send have SLOW_PEERS_END_MS left. */
void slow_peers_end_senders(struct slow_peers *peers);

/* No peer sends any more, and none will be added: peers that still read have
 * SLOW_PEERS_LAST_MS left. */
void slow_peers_end_readers(struct slow_peers *peers);

/* By the thread: */

/* The connection has become readable or writable, as waited for. */
void slow_peers_handle(struct slow_peers *peers, struct exchange *exchange);

/* Disconnects the peers whose time is up. Returns the milliseconds until it must be
 * called again; -1: call it when woken. */
int slow_peers_look(struct slow_peers *peers);

/* Whether slow_peers_end_readers() was called and no peer is left. */
bool slow_peers_is_over(struct slow_peers *peers);

#endif
