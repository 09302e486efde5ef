/* The numbers of rooms in a store's tables. They are the same in every back-end, so
 * that a log can be moved from one to another.
 *
 * A numbered room has its own number, whatever name its row has. A named room gets a
 * negative number with its first message: one less than the lowest in use, -1 for
 * the first. Numbers at or below ROOM_ID_FLOOR belong to other programs and are
 * ignored when the lowest is determined. No room has 0. */
#ifndef LONGROOM_ROOM_ID_H
#define LONGROOM_ROOM_ID_H

#include "codec/room_name.h"

/* Part of SQL. */
#define ROOM_ID_FLOOR "-4611686018427387904"

/* Returns the room's number; 0: look it up by name, among the numbers below 0. */
static inline int64_t room_id_of(const struct room_name *room)
{
	return room->number;
}

/* Finds the room with this number and, if that is below 0, this name. Another
 * program may have written both. False: it is not a valid room. Pass 0 for a number
 * that is not an integer, and a name without data if it is not text. */
bool room_id_read(int64_t room_id, struct text name, struct room_name *room);

#endif
