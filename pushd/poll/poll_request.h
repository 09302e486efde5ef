/* Parses the target of a request to longroom-pushd. Pure.
 *
 * The operator's paths (/healthz, /metrics), which have no rooms, are recognised here
 * too. */
#ifndef LONGROOM_POLL_REQUEST_H
#define LONGROOM_POLL_REQUEST_H

#include "codec/cursor.h"
#include "codec/problem.h"
#include "codec/room_list.h"
#include "codec/route.h"

enum {
	POLL_DEFAULT_SECONDS = 25,
	POLL_MAX_SECONDS = 55,
	POLL_WATCHED_MAX = 10, /* rooms with presence=1 */
};

/* What the settings say of requests. */
struct poll_rules {
	size_t most_rooms;
	bool tells_presence; /* otherwise nothing of it is there */
	bool takes_names;    /* ... and a request may name its user */
};

/* Where a poll or a stream begins, and how long a poll waits. */
struct poll_terms {
	bool from_now;
	struct cursor cursor; /* unless from_now */
	int64_t seconds;      /* a poll's: to wait at the most */
	bool watches;         /* is told who is here */
};

struct poll_request {
	enum route_kind kind;
	/* Of the kinds that name rooms: */
	struct room_list rooms;
	size_t forbidden; /* names behind rooms.count; see admission.h */
	/* Of ROUTE_POLL and ROUTE_EVENTS: */
	struct poll_terms terms;
	/* The user, as the request says; empty: it does not, or may not. */
	struct buffer user_id, username;
};

static inline bool poll_request_waits(const struct poll_request *request)
{
	return request->kind == ROUTE_POLL || request->kind == ROUTE_EVENTS;
}

/* Whether it is about rooms, so that rights are needed. */
static inline bool poll_request_has_rooms(const struct poll_request *request)
{
	return poll_request_waits(request) || request->kind == ROUTE_PRESENCE;
}

/* Reads the target of a GET. PROBLEM_NONE: all is
 * well. If only the query is wrong, kind and rooms are set nevertheless: a user without
 * the right to read the rooms must get only that error. In any case the caller releases
 * the request. */
struct problem poll_request_read(struct text target, const struct poll_rules *rules,
                                 struct poll_request *request);
void poll_request_release(struct poll_request *request);

/* Takes the value of Last-Event-ID, which is not empty, in place of `after`. If it can't
 * be read, the request gets a cursor beyond the end of every log: the answer to that
 * is a reset. */
void poll_request_take_event_id(struct poll_request *request, struct text id);

#endif
