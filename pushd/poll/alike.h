/* A poll that asks for what the last one did, as the memo has it: it is not read
 * again. */
#ifndef LONGROOM_ALIKE_H
#define LONGROOM_ALIKE_H

#include "poll/waiting.h"

/* The pass is of whoever asks. False: it has to be refused, and so to be read. */
static inline bool alike_begin(struct poll *poll, const struct pass *pass)
{
	struct polls *polls = polls_of(poll);

	if (polls_are_too_many(polls, pass->user))
		return false;
	waiting_begin(poll, &polls->memo.request, pass);
	return true;
}

/* The same where another token stands in the bytes. False also if that is not so. */
bool alike_begin_by_token(struct poll *poll, struct text bytes);

#endif
