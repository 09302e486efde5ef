/* Finds the resource that a request's target names. Pure.
 *
 * nginx may mount Longroom under any prefix, so a target is parsed from its end:
 *
 *     <prefix>/rooms/{room}/messages[/{id}]
 *     <prefix>/rooms/{rooms}/poll
 *     <prefix>/rooms/{rooms}/events
 *     <prefix>/rooms/{rooms}/presence
 *
 * The operator's paths are exactly /healthz and /metrics, without a prefix, so none
 * of nginx's locations for clients can lead there.
 *
 * Segments are split before they are decoded: %2f is never a separator. It is part
 * of a name, which is then invalid. */
#ifndef LONGROOM_ROUTE_H
#define LONGROOM_ROUTE_H

#include "codec/room_name.h"

enum route_kind {
	ROUTE_NONE,     /* no such path */
	ROUTE_BAD_ROOM, /* messages of an invalid room name */
	ROUTE_MESSAGES,
	ROUTE_MESSAGE,
	ROUTE_POLL,
	ROUTE_EVENTS,
	ROUTE_PRESENCE,
	ROUTE_HEALTH,
	ROUTE_METRICS,
};

struct route {
	enum route_kind kind;
	struct text path;  /* the target without its query, as sent */
	struct text query; /* without '?' */
	struct room_name room; /* ROUTE_MESSAGES, ROUTE_MESSAGE */
	int64_t id;            /* ROUTE_MESSAGE: 1 to INT64_MAX */
	struct text rooms; /* of the kinds for several: encoded, for room_list.h */
};

/* Whether its path may name several rooms. */
static inline bool route_is_for_several(enum route_kind kind)
{
	return kind == ROUTE_POLL || kind == ROUTE_EVENTS || kind == ROUTE_PRESENCE;
}

/* The detail of a 404 for ROUTE_NONE: which paths there are. */
extern const char route_none_detail[];

/* Takes an origin-form target (RFC 9112 section 3.2.1). */
void route_parse(struct text target, struct route *route);

#endif
