/* What a request to longroom-pushd asks for. Pure.
 *
 * The operator's paths (/healthz, /metrics) are told apart here, as they ask for
 * no room. */
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
	enum route_kind kind; /* ROUTE_POLL; else nothing below is set */
	struct room_name room;
	bool from_now;
	struct cursor cursor; /* unless from_now */
	int64_t seconds;      /* to wait at the most */
};

/* Reads the target of a GET. The problem is PROBLEM_NONE if all is well. If only
 * the query is wrong, kind and room are set all the same, for who may not read
 * the room is to be told that and nothing else. */
struct problem poll_request_read(struct text target, struct poll_request *request);

#endif
