/* Shows a room's presence as JSON (PROTOCOL section 6). Pure. */
#ifndef LONGROOM_ROOM_TEXT_H
#define LONGROOM_ROOM_TEXT_H

#include "base/buffer.h"
#include "presence/roster.h"

/* How much is told. */
struct room_text_form {
	bool has_users;    /* otherwise only the numbers */
	size_t users_most; /* of a room */
};

/* Adds the members of an object, without braces: "room_id", "count", "anonymous" and
 * "users". NULL: nobody is there. */
void room_text_add(struct buffer *b, const struct room_name *name,
                   const struct roster_room *room,
                   const struct room_text_form *form);

/* Adds the entry that polls and streams get. */
void room_text_add_entry(struct buffer *b, const struct room_name *name,
                         const struct roster_room *room,
                         const struct room_text_form *form);

#endif
