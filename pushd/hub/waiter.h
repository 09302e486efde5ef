/* Somebody who has asked for a room's messages after a cursor.
 *
 * A waiter is part of a connection. It is idle, or it is in exactly one list of
 * the hub or of a room, and its state says in which:
 *
 *     WAITER_IDLE       none: it wants nothing
 *     WAITER_UNSETTLED  hub.unsettled: the hub must first see more of the log
 *     WAITER_READING    room.queued or room.asking: before the window
 *     WAITER_RESETTING  room.resetting or room.reset_asking: a dead cursor
 *     WAITER_QUEUED     hub.long_pages: has a long page to get, in its turn
 *     WAITER_PARKED     room.parked: has everything, waits for more */
#ifndef LONGROOM_WAITER_H
#define LONGROOM_WAITER_H

#include "codec/cursor.h"
#include "hub/room.h"

enum waiter_state {
	WAITER_IDLE,
	WAITER_UNSETTLED,
	WAITER_READING,
	WAITER_RESETTING,
	WAITER_QUEUED,
	WAITER_PARKED,
};

struct waiter {
	struct list link;
	struct room *room;
	struct cursor cursor;
	int64_t checked_by;    /* UNSETTLED: the look at the log that decides */
	enum waiter_state state;
	bool from_now;         /* cursor says nothing yet: the log's end */
	bool must_answer;      /* its time is up: an empty page will do */
};

#endif
