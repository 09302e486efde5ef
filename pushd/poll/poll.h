/* One poll: a connection's request while it is asked, and what it has come to.
 *
 * It is part of its connection's memory (http_handlers.connection_size) and is used
 * again for the next request. While the connection is parked, either its token is
 * with the verifier, and it is no waiter yet, or it waits for the hub. Otherwise
 * the waiter is idle, and there is neither a verification nor a user. */
#ifndef LONGROOM_POLL_H
#define LONGROOM_POLL_H

#include "http/connection.h"
#include "poll/polls.h"

struct poll {
	struct connection connection;
	struct waiter waiter;
	const struct text *headers; /* that this request's answer has beside its
	                             * own; NULL: none */
	struct verification *verification; /* of its token, under way; or NULL */
	struct user *user;   /* whose poll waits; held. NULL: not known by name */
	struct moment expires; /* when it may wait no longer */
	bool is_overdue; /* its time is up, but its read of the log isn't back */
};

static inline struct poll *poll_of(struct connection *c)
{
	return LIST_OWNER(c, struct poll, connection);
}

static inline struct polls *polls_of(const struct poll *poll)
{
	return poll->connection.transport->context;
}

static inline const struct moment *poll_now(const struct poll *poll)
{
	return &poll->connection.transport->now;
}

#endif
