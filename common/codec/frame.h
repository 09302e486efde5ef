/* Frames: the messages that longroom-history publishes on the bus. Each commit gives
 * one frame, or several if it is large; messages in no log come in frames too. Pure.
 *
 * Version 2, integers big-endian:
 *
 *     u8   version = 2
 *     u32  log        tag of the log's newest incarnation at the last commit
 *                     (as in cursors); 0: no commit since the start
 *     i64  first      the lowest and the highest id in the frame; 0 and 0 if
 *     i64  last       none of its messages is in the log
 *     u32  count      number of messages that follow:
 *         i64 id (0: in no log)   i64 sent_ms
 *         u8 size + bytes: room, sender_id, sender_name, sender_type
 *         u8 given (0, 1); if 1, u8 size + bytes: client_id
 *         u32 size + bytes: content
 *         u8 size + bytes: type, empty: chat_message
 *         u32 size + bytes: data, empty: none
 *         i64 reply_to (0: none)
 *         u8 signal (0, 1): it was sent with "store":false, so id is 0
 *
 * Version 1, which longroom-history wrote before, ends with the content.
 *
 * Ids in a frame ascend without a gap, since one transaction commits them. Suppose a
 * receiver has the log up to id G. Ids up to G are duplicates. If first <= G + 1, it
 * takes the ids above G. If first > G + 1, it reads the missing messages from the
 * log before taking any.
 *
 * A frame of an unknown version is dropped; its messages come from the log, and those
 * that are in no log are lost. So a change of format takes the next version, and pushd
 * reads the one before too: update pushd before history. */
#ifndef LONGROOM_FRAME_H
#define LONGROOM_FRAME_H

#include "codec/message.h"

/* Once a frame has grown beyond this, the next message starts another. */
enum { FRAME_FULL_BYTES = 512 * 1024 };

/* Starts a frame in an empty buffer. */
void frame_begin(struct buffer *b, uint32_t log);

/* Adds a message; ids ascend. False, and nothing is added: a text is too long for
 * its size field, or the id is not the next one. */
bool frame_add(struct buffer *b, const struct message *m);

struct frame {
	uint32_t log;
	int64_t first, last;
	uint32_t count;
	uint8_t version;
	struct text rest; /* messages not yet read */
};

/* Reads the head. The frame borrows data. False: this is not a frame of version 1 or
 * 2. */
bool frame_open(struct text data, struct frame *frame);

enum frame_read { FRAME_MESSAGE, FRAME_END, FRAME_BROKEN };

/* Reads the next message, which borrows from the frame. */
enum frame_read frame_next(struct frame *frame, struct message *m);

#endif
