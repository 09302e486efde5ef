/* A poll whose request equals the one in the memo: it is not parsed again. */
#ifndef LONGROOM_ALIKE_H
#define LONGROOM_ALIKE_H

#include "poll/waiting.h"

/* Whether another request of theirs has named them otherwise since: then the name that
 * comes now must be taken over. */
static inline bool alike_has_new_name(const struct pass *pass)
{
	return pass->attendance != NULL &&
	       pass->attendance->renames != pass->renames;
}

/* `pass` is the user's. False: it must be refused, so it has to be parsed. */
static inline bool alike_begin(struct poll *poll, const struct pass *pass)
{
	struct polls *polls = polls_of(poll);

	if (polls_are_too_many(polls, pass->user) || alike_has_new_name(pass))
		return false;
	waiting_begin(poll, &polls->memo.terms, pass);
	return true;
}

/* The same for a request that differs only in its token. False also if it differs in
 * anything else. */
bool alike_begin_by_token(struct poll *poll, struct text bytes);

#endif
