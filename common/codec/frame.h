/* What longroom-history publishes on the bus: one frame a commit. Pure.
 *
 * Version 1, integers big-endian:
 *
 *     u8   version = 1
 *     u32  log        tag of the log's newest incarnation (as in cursors)
 *     i64  first      the lowest and the highest id in the frame; 0 and 0 if
 *     i64  last       none of its messages is in the log
 *     u32  count      then so many messages:
 *         i64 id (0: in no log)   i64 sent_ms
 *         u8 size + bytes: room, sender_id, sender_name, sender_type
 *         u8 given (0, 1); if 1, u8 size + bytes: client_id
 *         u32 size + bytes: content
 *
 * Ids in a frame ascend without a hole, for one transaction commits them. A
 * receiver that holds the log up to G takes the ids above G if first <= G + 1;
 * if first > G + 1 it reads what it lacks from the log first. Ids up to G are
 * duplicates. An unknown version is dropped: the log repairs. A change of
 * format takes the next version; update pushd before history. */
#ifndef LONGROOM_FRAME_H
#define LONGROOM_FRAME_H

#include "codec/message.h"

/* A frame ends once it has grown past this; the next message starts another. */
enum { FRAME_FULL_BYTES = 512 * 1024 };

/* Starts a frame in an empty buffer. */
void frame_begin(struct buffer *b, uint32_t log);

/* Adds a message, ids ascending. False, and nothing added, when a text is
 * longer than its size can say, or its id is not the next. */
bool frame_add(struct buffer *b, const struct message *m);

struct frame {
	uint32_t log;
	int64_t first, last;
	uint32_t count;
	struct text rest; /* messages not yet read */
};

/* Reads the head; the frame borrows data. False: not a frame of version 1. */
bool frame_open(struct text data, struct frame *frame);

enum frame_read { FRAME_MESSAGE, FRAME_END, FRAME_BROKEN };

/* Reads the next message, which borrows from the frame. */
enum frame_read frame_next(struct frame *frame, struct message *m);

#endif
