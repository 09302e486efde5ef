/* The run of 200 messages that the power is cut from: what is sent, how, and
 * what has to be true of a log that it was sent to. All of it follows from a
 * message's number. */
#ifndef LONGROOM_DISK_TALK_H
#define LONGROOM_DISK_TALK_H

#include "base/buffer.h"
#include "codec/message.h"
#include "config/settings.h"

enum { TALK_MESSAGES = 200 };

/* What the sender of a message knows. */
enum talk_state {
	TALK_UNSENT,
	TALK_SENT,   /* and not answered */
	TALK_SAVED,  /* store_append() gave it an id */
	TALK_FAILED, /* store_append() said that it is not saved */
};

struct talk {
	enum talk_state states[TALK_MESSAGES];
	int64_t ids[TALK_MESSAGES];
};

/* Sends all of them to the store of the settings. Notes go to the descriptor,
 * one write each, before and after each store_append(). */
void talk_run(const struct settings *settings, int notes);

/* Takes such notes in. */
void talk_note(struct talk *talk, struct text notes);

/* Whether a message of TALK_FAILED may be in the log after all. */
enum talk_failed { TALK_FAILED_IS_NOT_THERE, TALK_FAILED_MAY_BE_THERE };

/* Opens the store as longroom-history does, looks whether it has what it has to,
 * repeats each message with a client_id that was not saved, and looks again.
 * False, and *error says what is wrong. */
bool talk_check(const struct talk *talk, const struct settings *settings,
                enum talk_failed failed, struct buffer *error);

#endif
