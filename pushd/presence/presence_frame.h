/* Frames on the bus from one longroom-pushd to the others: what it says of who is here.
 * Pure.
 *
 * Integers big-endian:
 *
 *     u8   version = 128  frames of messages have 1 to 127 here (codec/frame.h)
 *     u64  epoch          drawn at random by each process; not 0
 *     u8   flags          bit 0: the process ends, and this is its last frame
 *     then any number of these, to the frame's end:
 *         u8 1   u8 size + bytes: a room; what follows is about it
 *         u8 2   u8 size + bytes: user_id, username, sender_type: somebody is here
 *         u8 3   u8 size + bytes: user_id: somebody has left
 *         u8 4   u32: so many without a user id are here
 *
 * Anybody who reaches a bus address can send a frame, so a frame is taken whole or not
 * at all: it is refused if it is larger than PRESENCE_FRAME_MAX_BYTES, is of another
 * version, has an unknown flag or kind, an invalid room name, a text that may not be a
 * sender's id, name or type, or a count beyond PRESENCE_ANONYMOUS_MAX. */
#ifndef LONGROOM_PRESENCE_FRAME_H
#define LONGROOM_PRESENCE_FRAME_H

#include "base/buffer.h"
#include "presence/person.h"

enum {
	/* Once a frame has grown beyond this, another begins: a receiver has a turn of
	 * its loop for each. */
	PRESENCE_FRAME_FULL_BYTES = 16 * 1024,
	PRESENCE_FRAME_MAX_BYTES = 64 * 1024,
	PRESENCE_ANONYMOUS_MAX = 10000000, /* as push.max_connections */
};

/* A frame being made. {0} before the first; presence_writer_release() after the
 * last. */
struct presence_writer {
	struct buffer bytes;
	struct room_name room; /* that the last statement was about; size 0: none */
};

/* Starts a frame, in the memory of the last one. */
void presence_frame_begin(struct presence_writer *writer, uint64_t epoch, bool is_last);
void presence_frame_add(struct presence_writer *writer,
                        const struct statement *statement);
void presence_writer_release(struct presence_writer *writer);

/* A frame being read; borrows its bytes. */
struct presence_frame {
	uint64_t epoch;
	bool is_last;
	struct text rest;      /* not read yet */
	struct room_name room; /* that the last statement was about */
};

/* Checks the whole frame. False: it is to be refused. */
bool presence_frame_open(struct text data, struct presence_frame *frame);

/* The next statement, which borrows from the frame until the next call. False: that was
 * all. */
bool presence_frame_next(struct presence_frame *frame, struct statement *statement);

#endif
