/* An admitted poll: asks the hub, waits as long as allowed, and answers with the
 * delivery. */
#ifndef LONGROOM_WAITING_H
#define LONGROOM_WAITING_H

#include "poll/poll.h"

/* The hub's handlers for the waiters of polls. */
extern const struct hub_handlers waiting_handlers;

/* Asks the hub. Afterwards the poll is answered or parked. */
void waiting_begin(struct poll *poll, const struct poll_terms *terms,
                   const struct pass *pass);

/* No longer counts as one of its user's polls. */
void waiting_stop_counting(struct poll *poll);

/* The transport's events for a waiting poll (transport.h): */
void waiting_expire(struct poll *poll);
void waiting_heed_clock(struct poll *poll);
void waiting_drain(struct poll *poll);
/* The poll was answered, or its client is gone. Inline, since for most polls there
 * is nothing to do. */
static inline void waiting_end(struct poll *poll)
{
	if (poll->user != NULL)
		waiting_stop_counting(poll);
	if (poll->waiter.state != WAITER_IDLE)
		hub_leave(polls_of(poll)->hub, &poll->waiter);
}

#endif
