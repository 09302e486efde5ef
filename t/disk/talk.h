/* The run of 200 messages during which the power is cut: what is sent, how, and
 * what must be true of the log that got it. All of it follows from a message's
 * number. */
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

/* Reads such notes. */
void talk_note(struct talk *talk, struct text notes);

/* Whether a message of TALK_FAILED may be in the log after all. */
enum talk_failed { TALK_FAILED_IS_NOT_THERE, TALK_FAILED_MAY_BE_THERE };

/* Opens the store as longroom-history does, checks that it has what it must,
 * repeats each unsaved message that has a client_id, and checks again. False:
 * *error says what is wrong. */
bool talk_check(const struct talk *talk, const struct settings *settings,
                enum talk_failed failed, struct buffer *error);

#endif
