/* The numbers that rooms have in a store's tables: the same in every back-end, so
 * that a log can be carried from one to another.
 *
 * A numbered room has its own number, whatever name its row is given. A named room
 * gets a number below 0 with its first message: one less than the lowest that is in
 * use, -1 for the first. Numbers at or below ROOM_ID_FLOOR are somebody else's, and
 * nobody counts from them. No room has 0. */
#ifndef LONGROOM_ROOM_ID_H
#define LONGROOM_ROOM_ID_H

#include "codec/room_name.h"

/* Part of SQL. */
#define ROOM_ID_FLOOR "-4611686018427387904"

/* 0: it is to be looked up by the room's name, among the numbers below 0. */
static inline int64_t room_id_of(const struct room_name *room)
{
	return room->number;
}

/* Which room has this number and, if it is below 0, this name: both as somebody
 * else may have written them. False: no client could have asked for it. A number
 * that is none is given as 0, a name that is no text without data. */
bool room_id_read(int64_t room_id, struct text name, struct room_name *room);

#endif
