/* A cursor: a client's position in the log. Pure.
 *
 * As text (version 1), at most CURSOR_MAX characters:
 *
 *     142                              an id alone: just after message 142
 *     1.5f3a9c01.142                   after 142 of the log, in its incarnation
 *                                      5f3a9c01 (incarnations.h)
 *     1.5f3a9c01.142.9be01d22.17       and after entry 17 of a pushd's window
 *
 * The last two parts exist because some messages are in no log. longroom-pushd draws
 * an epoch at start. If a cursor has another epoch, its position is ignored and only
 * the id counts.
 *
 * The first number is the format's version. A change takes the next number, and old
 * versions are still read: clients keep cursors for years. */
#ifndef LONGROOM_CURSOR_H
#define LONGROOM_CURSOR_H

#include "base/buffer.h"

enum { CURSOR_MAX = 64 };

struct cursor {
	int64_t id;        /* >= 0 */
	bool names_log;    /* false: an id alone; the members below are 0 */
	uint32_t log;      /* tag of an incarnation; the newest when rendered */
	bool has_position;
	uint32_t epoch;
	int64_t position;  /* >= 0 */
};

bool cursor_parse(struct text text, struct cursor *cursor);

/* Adds the text, without quotes. The cursor must name its log. */
void cursor_render(const struct cursor *cursor, struct buffer *b);

#endif
