/* A room's messages in the window that are new to a cursor: those in the log with an
 * id above the cursor's, and those in no log with a position above the cursor's.
 * Both kinds are sorted, so the first of each is found by binary search, and the two
 * are merged by position. Older messages cost nothing, however many they are, and
 * even if a client has made up the numbers of its cursor. */
#ifndef LONGROOM_NEWS_H
#define LONGROOM_NEWS_H

#include <stdbool.h>

#include "codec/cursor.h"
#include "hub/window.h"

/* Valid until the room gets an entry or loses one. */
struct news {
	const struct room *room;
	size_t logged, unlogged; /* the next of each */
};

struct news news_after(const struct room *room, const struct cursor *place);

/* The next one, in the order in which they came; NULL: there is none. */
const struct entry *news_take(struct news *news);

/* Whether they have more than this many bytes. */
bool news_is_longer(struct news news, size_t bytes);

/* Whether there are any. Called for each waiter, so it must cost next to nothing. */
static inline bool news_is_there(const struct room *room,
                                 const struct cursor *place)
{
	const struct entry *logged = sequence_last(&room->logged);
	const struct entry *unlogged = sequence_last(&room->unlogged);

	return (logged != NULL && logged->id > place->id) ||
	       (unlogged != NULL && unlogged->position > place->position);
}

#endif
