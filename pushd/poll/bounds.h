/* How long a request may wait, and how many a user may have: the expiry of its token,
 * and limits.user_polls. */
#ifndef LONGROOM_BOUNDS_H
#define LONGROOM_BOUNDS_H

#include "poll/poll.h"

/* After its token's expiry a request must get no messages. */
static inline bool bounds_have_expired(const struct poll *poll)
{
	return moment_has_come(&poll->expires, poll_now(poll));
}

/* A deadline is never later than the token's expiry, by either clock. */
static inline int64_t bounds_not_beyond_expiry(const struct poll *poll,
                                               int64_t due_ms)
{
	const struct moment *expires = &poll->expires;
	const struct moment *now = poll_now(poll);
	int64_t left_ms = expires->wall_ms - now->wall_ms;
	int64_t end_ms = expires->steady_ms;

	if (left_ms < end_ms - now->steady_ms)
		end_ms = now->steady_ms + left_ms;
	return end_ms < due_ms ? end_ms : due_ms;
}

/* Counts the request as one of its user's. NULL: not known by name. */
static inline void bounds_start_counting(struct poll *poll, struct user *user)
{
	poll->user = user;
	if (user == NULL)
		return;
	user->refcount++;
	user->polls++;
}

#endif
