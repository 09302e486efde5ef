/* Where a client stands in the log. Pure.
 *
 * As text (version 1), at most CURSOR_MAX characters:
 *
 *     142                              an id alone: just after message 142
 *     1.5f3a9c01.142                   after 142 of the log, in its incarnation
 *                                      5f3a9c01 (incarnations.h)
 *     1.5f3a9c01.142.9be01d22.17       and after entry 17 of a pushd's window
 *
 * The second part exists because some messages are in no log. pushd draws an
 * epoch at start; if the epoch is not its own, the position says nothing and
 * the id alone decides.
 *
 * The first number is the format's version. A change takes the next number and
 * goes on reading the old one: clients keep cursors for years. */
#ifndef LONGROOM_CURSOR_H
#define LONGROOM_CURSOR_H

#include "base/buffer.h"

enum { CURSOR_MAX = 64 };

struct cursor {
	int64_t id;        /* >= 0 */
	bool names_log;    /* false: an id alone, and what follows is 0 */
	uint32_t log;      /* the tag of an incarnation, then the newest */
	bool has_position;
	uint32_t epoch;
	int64_t position;  /* >= 0 */
};

bool cursor_parse(struct text text, struct cursor *cursor);

/* Adds the text without quotes. Takes a cursor that names its log. */
void cursor_render(const struct cursor *cursor, struct buffer *b);

#endif
