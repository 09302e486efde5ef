/* What the floors answer: Longroom's JSON, byte for byte as long, made with as
 * little work as can be. A floor does not look into a message; it takes the
 * members that longroom-load has sent as they stand. */
#ifndef LONGROOM_FLOOR_MESSAGE_H
#define LONGROOM_FLOOR_MESSAGE_H

#include <stdint.h>

#include "base/buffer.h"

/* The room's name in a target such as /rooms/room_26/poll; empty if there is
 * none. */
struct text floor_room(struct text target);

/* Adds the message that this body (a JSON object of content, user_id and
 * username) asks for. */
void floor_add_message(struct buffer *b, struct text room, int64_t id,
                       struct text body);

/* The same as a poll's page: the message, or, with an empty body, none. The
 * cursor holds the id. */
void floor_add_page(struct buffer *b, struct text room, int64_t id,
                    struct text body);

/* The same as a stream's event. */
void floor_add_event(struct buffer *b, struct text room, int64_t id,
                     struct text body);

/* The event that a stream begins with. */
void floor_add_ready(struct buffer *b, struct text room, int64_t id);

/* The id in the cursor behind `after=` in a target; -1 if there is none. */
int64_t floor_after(struct text target);

#endif
