/* Parses the target of a request to longroom-pushd. Pure.
 *
 * The operator's paths (/healthz, /metrics), which have no room, are recognised here
 * too. */
#ifndef LONGROOM_POLL_REQUEST_H
#define LONGROOM_POLL_REQUEST_H

#include "codec/cursor.h"
#include "codec/problem.h"
#include "codec/room_name.h"
#include "codec/route.h"

enum {
	POLL_DEFAULT_SECONDS = 25,
	POLL_MAX_SECONDS = 55,
};

struct poll_request {
	enum route_kind kind; /* if not ROUTE_POLL, nothing below is set */
	struct room_name room;
	bool from_now;
	struct cursor cursor; /* unless from_now */
	int64_t seconds;      /* to wait at the most */
};

/* Reads the target of a GET. PROBLEM_NONE: all is well. If only the query is wrong,
 * kind and room are set nevertheless: a user without the right to read the room must
 * get only that error. */
struct problem poll_request_read(struct text target, struct poll_request *request);

#endif
