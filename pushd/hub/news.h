/* What a room has in the window that a place lacks: of messages in the log those
 * with an id above its own, of the others those with a position above its own. Each
 * kind ascends, so the first of each is searched for, and the two are merged by
 * position: what was passed over costs nothing, however much it is, and whatever
 * pair of numbers a client made up. */
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

/* Whether there is more than so many bytes of it. */
bool news_is_longer(struct news news, size_t bytes);

/* Whether there is any: asked for each who waits, so it costs next to nothing. */
static inline bool news_is_there(const struct room *room,
                                 const struct cursor *place)
{
	const struct entry *logged = sequence_last(&room->logged);
	const struct entry *unlogged = sequence_last(&room->unlogged);

	return (logged != NULL && logged->id > place->id) ||
	       (unlogged != NULL && unlogged->position > place->position);
}

#endif
