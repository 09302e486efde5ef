/* The data that a message carries: a JSON object, checked, and without white space
 * between its tokens. Pure.
 *
 * Sites attach it, and other programs read it. So it stays as it was written: members
 * in their order, numbers and escapes in their spelling. It is no tree that is written
 * anew: that would turn 1.50 into 1.5, and 12345678901234567890 into another number.
 * Only the escape of an unpaired surrogate becomes \ufffd, which has the same size,
 * because some readers refuse the whole text for one. What readers understand in
 * different ways is refused: a member twice, and U+0000. */
#ifndef LONGROOM_MESSAGE_DATA_H
#define LONGROOM_MESSAGE_DATA_H

#include "codec/json_reader.h"

enum {
	MESSAGE_DATA_DEPTH_MAX = 30,    /* objects and arrays in each other */
	MESSAGE_DATA_MAX = 128 * 1024,  /* bytes: what limits.data may be at most */
};

enum message_data_fault {
	MESSAGE_DATA_FINE,
	MESSAGE_DATA_NOT_JSON, /* the reader's fault says where */
	MESSAGE_DATA_NOT_OBJECT,
	MESSAGE_DATA_TOO_LONG,
	MESSAGE_DATA_TOO_DEEP,
	MESSAGE_DATA_NUL,   /* a string has \u0000 */
	MESSAGE_DATA_TWICE, /* an object has a member twice */
};

/* Reads the reader's next value, and adds it to *data: at most `limit` bytes. After a
 * fault nothing was added, and the reader is of no more use. Reading stops at the
 * first token that does not fit, however much follows.
 *
 * If a member comes twice, *name is its name; otherwise it is unspecified. */
enum message_data_fault message_data_read(struct json_reader *reader, size_t limit,
                                          struct buffer *data, struct buffer *name);

/* The same for a text, which may be any bytes and must have nothing else. */
enum message_data_fault message_data_read_text(struct text text, size_t limit,
                                               struct buffer *data,
                                               struct buffer *name);

/* Adds data that was read before, or that another program has written: in the latter a
 * member may come twice, which takes long to find out. False, and nothing was added: it
 * is no JSON object that a page can have. */
bool message_data_add(struct text text, struct buffer *data);

#endif
