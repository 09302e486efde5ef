/* One poll: the application's part of a connection and its current request.
 *
 * It is part of the connection's memory (http_handlers.connection_size), and is
 * reused for the next request. While the connection is parked, either the verifier
 * has its token and the waiter is idle, or the waiter waits in the hub. While it is
 * not parked, the waiter is idle, and there is neither a verification nor a user.
 *
 * A question who is here (question.h) is parked only while it waits for its turn.
 *
 * If the request is for a stream (stream.h), there are a user and a stream also while
 * a piece of it is written. */
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
	struct stream *stream; /* NULL: the request is none, or is not admitted */
	union {
		struct visit *visit; /* while it waits; NULL: presence is off */
		struct question *question; /* asks_who: waits for its turn */
	};
	struct user *user;   /* whose poll waits; held. NULL: not known by name */
	struct moment expires; /* when it may wait no longer */
	bool asks_who;   /* it has a question (question.h), and no visit */
	bool is_overdue; /* its time is up, but its read of the log isn't back */
	/* Of a stream: */
	bool is_begun;   /* its head was sent */
	bool is_ready;   /* ... and its first event */
	bool has_ended;  /* ... and its last one */
	bool is_asking, wants_more; /* see stream_ask() */
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
