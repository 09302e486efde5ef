/* Which resource a request's target names. Pure.
 *
 * nginx may mount Longroom under any prefix, so a target is read from its end:
 *
 *     <prefix>/rooms/{room}/messages[/{id}]
 *     <prefix>/rooms/{room}/poll
 *
 * The operator's two paths have no prefix, so that none of nginx's locations for
 * clients can lead there: the whole path is /healthz or /metrics.
 *
 * Segments are cut before they are decoded: %2f is part of a name (and makes it
 * a bad one), never a separator. */
#ifndef LONGROOM_ROUTE_H
#define LONGROOM_ROUTE_H

#include "codec/room_name.h"

enum route_kind {
	ROUTE_NONE,     /* no such path */
	ROUTE_BAD_ROOM, /* the path is right, the room's name is not */
	ROUTE_MESSAGES,
	ROUTE_MESSAGE,
	ROUTE_POLL,
	ROUTE_HEALTH,
	ROUTE_METRICS,
};

struct route {
	enum route_kind kind;
	struct text path;  /* the target without its query, as sent */
	struct text query; /* without '?' */
	struct room_name room;
	int64_t id; /* ROUTE_MESSAGE: 1 to INT64_MAX */
};

/* The detail of a 404 for ROUTE_NONE: which paths there are. */
extern const char route_none_detail[];

/* Takes an origin-form target (RFC 9112 section 3.2.1). */
void route_parse(struct text target, struct route *route);

#endif
