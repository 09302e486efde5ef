/* FastCGI peers that keep a request waiting: the rest of it has not come, or its
 * answer is not read. A thread waits for all of them at once, so that none holds a
 * worker.
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
	/* limits.unread as it is now. */
	size_t (*unread_limit)(void *context);
	/* Called on the thread with a request that is no longer in here: */
	void (*whole)(void *context, struct exchange *exchange);
	void (*broken)(void *context, struct exchange *exchange);
	void (*answered)(void *context, struct exchange *exchange);
	void *context;
};

/* Starts the thread. NULL: *error says why it can't. */
struct slow_peers *slow_peers_start(const struct slow_peers_plan *plan,
                                    struct buffer *error);

/* From any thread, with a request that is the peers' until it comes back: */

/* The rest of a request has to come (intake.h). It comes back whole or broken. */
void slow_peers_await_request(struct slow_peers *peers, struct exchange *exchange);

/* The answer (response.h) has to be read. It comes back answered. */
void slow_peers_await_reader(struct slow_peers *peers, struct exchange *exchange);

size_t slow_peers_senders(struct slow_peers *peers);

/* It is time to end: who still sends has SLOW_PEERS_END_MS. */
void slow_peers_end(struct slow_peers *peers);

/* Nothing is handed over any more, and nobody sends: waits for those that read,
 * SLOW_PEERS_LAST_MS at the most, and frees all. */
void slow_peers_finish(struct slow_peers *peers);

#endif
