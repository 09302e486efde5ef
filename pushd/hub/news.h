/* A feed's messages in the window that are new to a cursor: those in the log with an
 * id above the cursor's, and those in no log with a position above the cursor's.
 *
 * In a room both kinds are sorted, so the first of each is found by binary search.
 * The kinds and the rooms are merged by position, in a heap. Older messages cost
 * nothing, however many they are, and even if a client has made up the numbers of
 * its cursor. */
#ifndef LONGROOM_NEWS_H
#define LONGROOM_NEWS_H

#include <stdbool.h>

#include "codec/cursor.h"
#include "hub/window.h"

/* One room's part. */
struct news_part {
	const struct room *room;
	size_t logged, unlogged;   /* the next of each */
	const struct entry *first; /* of both; never NULL in the heap */
};

/* Valid until a room of the feed gets an entry or loses one. {0} can be begun, and
 * begun again; release it in the end. */
struct news {
	struct news_part *heap; /* by position */
	size_t count, capacity;
};

void news_begin(struct news *news, const struct feed *feed,
                const struct cursor *place);
void news_release(struct news *news);

/* The next one, in the order in which they came; NULL: there is none. */
const struct entry *news_take(struct news *news);

/* Takes them until they have more than this many bytes. Returns whether they do. */
bool news_are_longer(struct news *news, size_t bytes);

/* Returns the room's first entry of the log after an id; NULL: none. */
const struct entry *news_first_logged(const struct room *room, int64_t id);

/* Whether a room has any. Called for each waiter, so it must cost next to nothing. */
static inline bool news_are_in_room(const struct room *room,
                                    const struct cursor *place)
{
	const struct entry *logged = sequence_last(&room->logged);
	const struct entry *unlogged = sequence_last(&room->unlogged);

	return (logged != NULL && logged->id > place->id) ||
	       (unlogged != NULL && unlogged->position > place->position);
}

/* The same for a feed. */
static inline bool news_are_there(const struct feed *feed,
                                  const struct cursor *place)
{
	for (size_t i = 0; i < feed->count; i++)
		if (news_are_in_room(feed->rooms[i].room, place))
			return true;
	return false;
}

/* Whether any of these is not a signal. (Such a message may have been dropped from the
 * window since.) */
static inline bool news_are_urgent_in_room(const struct room *room,
                                           const struct cursor *place)
{
	const struct entry *logged = sequence_last(&room->logged);

	return (logged != NULL && logged->id > place->id) ||
	       room->urgent > place->position;
}

/* The same for a feed. */
static inline bool news_are_urgent(const struct feed *feed,
                                   const struct cursor *place)
{
	for (size_t i = 0; i < feed->count; i++)
		if (news_are_urgent_in_room(feed->rooms[i].room, place))
			return true;
	return false;
}

#endif
