/* A room: the messages of it that are in the window, and who waits in it.
 *
 * Rooms come to be when somebody asks for one or a message arrives, and are
 * forgotten when they have neither entries nor users; the most recent
 * ROOMS_IDLE_MAX of those are kept a while, since their pollers come back. */
#ifndef LONGROOM_ROOM_H
#define LONGROOM_ROOM_H

#include <assert.h>

#include "base/list.h"
#include "codec/room_name.h"
#include "hub/delivery.h"
#include "hub/sequence.h"

enum {
	ROOMS_IDLE_MAX = 10000,
	/* Pollers come back from about this many different places. */
	ROOM_CACHED_DELIVERIES = 2,
	/* A crowd comes back within less, and what presenters keep stays true
	 * (HTTP has a Date). */
	ROOM_DELIVERY_LIFE_MS = 1000,
};

/* What was given for a cursor. Valid until the room gets a message: its own cursor
 * may be older than need be, but nothing is missed after it. */
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
	bool known;       /* earliest and pruned are */
	int64_t earliest; /* the log's oldest id of the room; 0: none */
	int64_t pruned;   /* the highest id removed from the log; 0: none */
	int64_t from; /* of what the log has of the room after here, and after
	               * window.from, the window has all; others have changed
	               * something before */
	struct entry *undelivered; /* the first that parked ones lack, or NULL */
	struct list dirty;         /* in hub.dirty while undelivered is set */
	struct list all;           /* in rooms.all */
	struct list idle;          /* in rooms.idle while it has nothing */
	struct cached_delivery cached[ROOM_CACHED_DELIVERIES];
	unsigned next_cached;
};

struct rooms {
	void *tree; /* by name; POSIX tsearch(), which no choice of names slows */
	struct list all;
	size_t count; /* in all */
	struct list idle; /* longest idle first */
	size_t idle_count;
	int64_t from; /* of a room that comes to be: the highest one forgotten */
	struct room *last; /* that was got: a crowd asks for one; or NULL */
};

void rooms_init(struct rooms *rooms);
/* Frees the rooms, which must have no users. */
void rooms_release(struct rooms *rooms);

/* Both are borrowed until the next call of a function of rooms, unless the room is
 * in use. The first gives NULL if there is none, the second makes one. */
struct room *rooms_find(const struct rooms *rooms, const struct room_name *name);
struct room *rooms_get(struct rooms *rooms, const struct room_name *name);

bool room_has_entries(const struct room *room);

/* A room with entries or users is in use. To be called when it got its first of
 * them, or may have lost its last one. */
void rooms_settle(struct rooms *rooms, struct room *room);

/* Counts a user in, or out. Most of a crowd changes nothing by it. */
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

/* NULL: there is none. Otherwise borrowed. */
struct delivery *room_cached_delivery(const struct room *room, int64_t id,
                                      int64_t position);
/* Takes a reference of its own. */
void room_cache_delivery(struct room *room, int64_t id, int64_t position,
                         struct delivery *delivery);
void room_forget_deliveries(struct room *room);

#endif
