/* FastCGI peers that keep a request waiting: the rest of it has not come, or its
 * answer is not read. One thread waits for all of them at once, so that none holds a
 * worker; it is the owner's, and nothing here waits.
 *
 * A peer is cut off (longroom.conf(5)) if nothing moves for SLOW_PEERS_SILENCE_MS;
 * if it takes longer than history.request_timeout in all; and, those first that
 * have been still for longest, if all of one kind are more than may be or take
 * more memory than limits.unread. */
#ifndef LONGROOM_SLOW_PEERS_H
#define LONGROOM_SLOW_PEERS_H

#include "gateway/exchange.h"

enum {
	SLOW_PEERS_SILENCE_MS = 10000,
	/* At the end, for those that send and then for those that read. */
	SLOW_PEERS_END_MS = 3000,
	SLOW_PEERS_LAST_MS = 1000,
};

struct slow_peers;

struct slow_peers_plan {
	int64_t request_timeout_ms;
	size_t most; /* of each kind */
	/* The owner's, borrowed: an epoll set in which connections are put, each with
	 * its exchange as data.ptr, and an eventfd that wakes the thread. */
	int place, wake;
	/* limits.unread as it is now. */
	size_t (*unread_limit)(void *context);
	/* Called on that thread with an exchange that is no longer in here: */
	void (*whole)(void *context, struct exchange *exchange);
	void (*broken)(void *context, struct exchange *exchange);
	void (*answered)(void *context, struct exchange *exchange);
	void *context;
};

struct slow_peers *slow_peers_new(const struct slow_peers_plan *plan);
/* When it is over. */
void slow_peers_free(struct slow_peers *peers);

/* From any thread, with an exchange that is the peers' until it comes back: */

/* The rest of a request has to come (intake.h). It comes back whole or broken. */
void slow_peers_await_request(struct slow_peers *peers, struct exchange *exchange);

/* The answer (response.h) has to be read. It comes back answered. */
void slow_peers_await_reader(struct slow_peers *peers, struct exchange *exchange);

size_t slow_peers_senders(struct slow_peers *peers);

/* It is time to end: those that still send have SLOW_PEERS_END_MS. */
void slow_peers_end_senders(struct slow_peers *peers);

/* Nothing is handed over any more, and nobody sends: those that read have
 * SLOW_PEERS_LAST_MS. */
void slow_peers_end_readers(struct slow_peers *peers);

/* By the thread: */

/* The connection is ready for what is waited for. */
void slow_peers_handle(struct slow_peers *peers, struct exchange *exchange);

/* Cuts off those that are to be. To be called again within so many milliseconds, or
 * (-1) once woken. */
int slow_peers_look(struct slow_peers *peers);

/* slow_peers_end_readers() was called, and all have gone. */
bool slow_peers_is_over(struct slow_peers *peers);

#endif
