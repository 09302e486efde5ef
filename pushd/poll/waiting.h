/* A poll that was let in: it asks the hub, waits as long as it may, and gets what
 * the hub has. */
#ifndef LONGROOM_WAITING_H
#define LONGROOM_WAITING_H

#include "poll/poll.h"

/* What the hub has for the waiters of polls. */
extern const struct hub_handlers waiting_handlers;

/* Asks the hub; the poll is answered or parked then. */
void waiting_begin(struct poll *poll, const struct poll_request *request,
                   const struct pass *pass);

/* Of its user's polls it is one no longer. */
void waiting_stop_counting(struct poll *poll);

/* What the transport tells of a poll that waits (transport.h): */
void waiting_expire(struct poll *poll);
void waiting_heed_clock(struct poll *poll);
void waiting_drain(struct poll *poll);
/* It has an answer, or its client is gone. Inline, as there is nothing to do for
 * most of a crowd. */
static inline void waiting_end(struct poll *poll)
{
	if (poll->user != NULL)
		waiting_stop_counting(poll);
	if (poll->waiter.state != WAITER_IDLE)
		hub_leave(polls_of(poll)->hub, &poll->waiter);
}

#endif
