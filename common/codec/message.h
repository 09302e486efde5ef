/* A message, and its JSON. Pure.
 *
 * All texts are borrowed from the message's source: a request, a row, a frame. They
 * are UTF-8 and within the limits of PROTOCOL section 9, unless another program
 * wrote the row; even then they are safe to render. */
#ifndef LONGROOM_MESSAGE_H
#define LONGROOM_MESSAGE_H

#include "base/buffer.h"
#include "codec/room_name.h"

enum {
	MESSAGE_NAME_MAX = 128, /* bytes; see message_is_name() */
	MESSAGE_TYPE_MAX = 64,  /* bytes; see message_is_type() */
};

struct message {
	int64_t id; /* 0: in no log */
	struct room_name room;
	struct text sender_id;
	struct text sender_name;
	struct text sender_type;
	struct text type;      /* empty: chat_message */
	struct text content;   /* may be empty if there is data or another type */
	struct text data;      /* a JSON object without white space; empty: none */
	struct text client_id; /* data is NULL: none was given */
	int64_t reply_to;      /* an id; 0: none */
	int64_t sent_ms;       /* since 1970, UTC */
	bool is_signal;        /* sent with "store":false */
};

/* Whether UTF-8 may be a sender's id, name or type, or a client_id: 1 to
 * MESSAGE_NAME_MAX bytes without control characters. */
bool message_is_name(struct text text);

/* Whether a text may be a message's type: 1 to MESSAGE_TYPE_MAX of a-z 0-9 _ . - that
 * begin with a letter. */
bool message_is_type(struct text text);

/* Whether it is one of the types that Longroom gives to entries of its own, which no
 * client may send. */
bool message_is_own_type(struct text type);

/* Adds the message as one JSON object (PROTOCOL section 3). Data that is not what
 * message_data.h makes is made so, or left out. */
void message_render(const struct message *m, struct buffer *b);

#endif
