/* A message, and its JSON. Pure.
 *
 * All texts are borrowed from the message's source: a request, a row, a frame. They
 * are UTF-8 and within the limits of PROTOCOL section 9, unless another program
 * wrote the row; even then they are safe to render. */
#ifndef LONGROOM_MESSAGE_H
#define LONGROOM_MESSAGE_H

#include "base/buffer.h"
#include "codec/room_name.h"

enum { MESSAGE_NAME_MAX = 128 }; /* bytes; see message_is_name() */

struct message {
	int64_t id; /* 0: in no log */
	struct room_name room;
	struct text sender_id;
	struct text sender_name;
	struct text sender_type;
	struct text content;
	struct text client_id; /* data is NULL: none was given */
	int64_t sent_ms;       /* since 1970, UTC */
};

/* Whether UTF-8 may be a sender's id, name or type, or a client_id: 1 to
 * MESSAGE_NAME_MAX bytes without control characters. */
bool message_is_name(struct text text);

/* Adds the message as one JSON object (PROTOCOL section 3). */
void message_render(const struct message *m, struct buffer *b);

#endif
