/* The feeds of several rooms, by their rooms.
 *
 * A feed is created when a client asks for its rooms, and freed some time after the
 * last of its users has left: those left most recently are kept as long as they have
 * FEEDS_IDLE_ROOMS rooms in all, since their clients come back. Names of forbidden rooms
 * count too, by their memory. A feed keeps its rooms in use. */
#ifndef LONGROOM_FEEDS_H
#define LONGROOM_FEEDS_H

#include "codec/room_list.h"
#include "hub/room.h"

enum { FEEDS_IDLE_ROOMS = 10000 };

struct feeds {
	struct rooms *rooms;   /* borrowed */
	struct feed *of_all;   /* borrowed */
	void *tree;            /* of several rooms; POSIX tsearch() */
	size_t count;          /* in the tree */
	struct list idle;      /* longest idle first */
	size_t idle_rooms;     /* of those, with what forbidden names count */
};

void feeds_init(struct feeds *feeds, struct rooms *rooms, struct feed *of_all);
/* The feeds must have no users. */
void feeds_release(struct feeds *feeds);

/* Returns the feed of these rooms with one more user. `forbidden` belongs to a feed
 * of several: see delivery.h. */
struct feed *feeds_get(struct feeds *feeds, const struct room_list *list,
                       struct text forbidden);

void feeds_wake(struct feeds *feeds, struct feed *feed);
void feeds_rest(struct feeds *feeds, struct feed *feed);

/* Adds or removes a user. */
static inline void feeds_use(struct feeds *feeds, struct feed *feed)
{
	if (feed->users++ == 0)
		feeds_wake(feeds, feed);
}

static inline void feeds_leave(struct feeds *feeds, struct feed *feed)
{
	assert(feed->users > 0);
	if (--feed->users == 0)
		feeds_rest(feeds, feed);
}

#endif
