/* A room: its messages in the window, and its waiters.
 *
 * A room is created when a client asks for it or a message arrives, and freed when
 * it has neither entries nor users. The ROOMS_IDLE_MAX most recent ones without
 * either are kept, since their clients come back. */
#ifndef LONGROOM_ROOM_H
#define LONGROOM_ROOM_H

#include <assert.h>

#include "base/list.h"
#include "codec/room_name.h"
#include "hub/delivery.h"
#include "hub/sequence.h"

enum {
	ROOMS_IDLE_MAX = 10000,
	/* Clients come back with about this many different cursors. */
	ROOM_CACHED_DELIVERIES = 2,
	/* All clients of a room come back within less; and forms that presenters
	 * keep must not become stale (HTTP has a Date). */
	ROOM_DELIVERY_LIFE_MS = 1000,
};

/* The delivery made for a cursor. Valid until the room gets a message. The
 * delivery's own cursor may be older than necessary, but no message is missed after
 * it. */
struct cached_delivery {
	int64_t id, position;
	int64_t made_ms; /* monotonic */
	struct delivery *delivery; /* NULL: unused */
};

struct room {
	struct room_name name;
	struct sequence logged;   /* its entries that are in the log, by id */
	struct sequence unlogged; /* ... and in none, by position */
	size_t users; /* waiters, and reads of the log under way */
	/* struct waiter: */
	struct list parked;    /* wait for a message; none has any to get */
	struct list queued;    /* want a read of the log, and will get the next */
	struct list asking;    /* will be answered by the read under way */
	struct list resetting; /* the same two for the newest page */
	struct list reset_asking;
	bool reading;       /* there is a read under way for `asking` */
	bool reset_reading; /* ... for `reset_asking` */
	bool known;       /* earliest and pruned are known */
	int64_t earliest; /* the log's oldest id of the room; 0: none */
	int64_t pruned;   /* the highest id removed from the log; 0: none */
	int64_t from; /* the window has all of the room's messages after this id
	               * and after window.from; other programs have changed
	               * something before it */
	struct entry *undelivered; /* the first that parked ones lack, or NULL */
	struct list dirty;         /* in hub.dirty while undelivered is set */
	struct list all;           /* in rooms.all */
	struct list idle;          /* in rooms.idle while it has nothing */
	struct list caching;       /* in rooms.caching while it has any cached: */
	struct cached_delivery cached[ROOM_CACHED_DELIVERIES];
	unsigned next_cached;
};

struct rooms {
	void *tree; /* by name; POSIX tsearch(), fast for any choice of names */
	struct list all;
	size_t count; /* in all */
	struct list idle; /* longest idle first */
	size_t idle_count;
	struct list caching; /* longest without a new cached delivery first */
	int64_t from; /* for new rooms: the highest room.from of those freed */
	struct room *last; /* the last one got, often asked for again; or NULL */
};

void rooms_init(struct rooms *rooms);
/* Frees the rooms, which must have no users. */
void rooms_release(struct rooms *rooms);

/* Both return a room that is borrowed until the next call of a function of rooms,
 * unless the room is in use. If there is no such room, the first returns NULL and
 * the second creates it. */
struct room *rooms_find(const struct rooms *rooms, const struct room_name *name);
struct room *rooms_get(struct rooms *rooms, const struct room_name *name);

bool room_has_entries(const struct room *room);

/* A room with entries or users is in use. Call this when it got the first of them,
 * or may have lost the last one. */
void rooms_settle(struct rooms *rooms, struct room *room);

/* Adds or removes a user. Usually nothing else changes, so this is inline. */
static inline void rooms_use(struct rooms *rooms, struct room *room)
{
	room->users++;
	if (!list_is_empty(&room->idle))
		rooms_settle(rooms, room);
}

static inline void rooms_leave(struct rooms *rooms, struct room *room)
{
	assert(room->users > 0);
	if (--room->users == 0)
		rooms_settle(rooms, room);
}

/* Returns the delivery cached for a cursor, borrowed; NULL: none. */
struct delivery *room_cached_delivery(const struct room *room, int64_t id,
                                      int64_t position);
/* Caches a delivery, and takes a reference of its own. */
void rooms_cache_delivery(struct rooms *rooms, struct room *room, int64_t id,
                          int64_t position, struct delivery *delivery);
void room_forget_deliveries(struct room *room);
/* Of rooms that have cached nothing for as long as a delivery may be given again. */
void rooms_forget_old_deliveries(struct rooms *rooms, int64_t now_ms);

#endif
