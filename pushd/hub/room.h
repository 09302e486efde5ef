/* A room: its messages in the window, and the feeds that contain it.
 *
 * A room is created when a client asks for it or a message arrives, and freed when
 * it has neither entries nor users. The ROOMS_IDLE_MAX most recent ones without
 * either are kept, since their clients come back. */
#ifndef LONGROOM_ROOM_H
#define LONGROOM_ROOM_H

#include <assert.h>

#include "codec/room_name.h"
#include "hub/feed.h"
#include "hub/sequence.h"

enum { ROOMS_IDLE_MAX = 10000 };

struct room {
	struct room_name name;
	struct sequence logged;   /* its entries that are in the log, by id */
	struct sequence unlogged; /* ... and in none, by position */
	int64_t urgent; /* the position of the newest of those that was no signal; 0:
	                 * none was */
	size_t users; /* its own feed if that has users, and feeds of several */
	struct list feeds; /* struct subscription: its own feed, and those of several
	                    * that contain it and have users */
	bool known;       /* earliest and pruned are known */
	int64_t earliest; /* the log's oldest id of the room; 0: none */
	int64_t pruned;   /* the highest id removed from the log; 0: none */
	int64_t from; /* the window has all of the room's messages after this id
	               * and after window.from; other programs have changed
	               * something before it */
	struct entry *undelivered; /* the first that was not delivered, or NULL */
	struct list dirty;         /* in hub.dirty while undelivered is set */
	struct list all;           /* in rooms.all */
	struct list idle;          /* in rooms.idle while it has nothing */
	struct feed own;           /* of this room alone */
	struct subscription own_place;
};

struct rooms {
	void *tree; /* by name; POSIX tsearch(), fast for any choice of names */
	struct list all;
	size_t count; /* in all */
	struct list idle; /* longest idle first */
	size_t idle_count;
	int64_t from; /* for new rooms: the highest room.from of those freed */
	struct room *last; /* the last one got, often asked for again; or NULL */
	struct delivery_cache cache; /* of all feeds */
};

/* cache_bytes: the limit of the cache. */
void rooms_init(struct rooms *rooms, int64_t cache_bytes);
/* Frees the rooms, which must have no users. */
void rooms_release(struct rooms *rooms);

/* Begins an empty room with its own feed. For rooms that are not in the table. */
void room_init(struct room *room, enum feed_kind kind);

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

#endif
