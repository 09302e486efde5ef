/* Decides whether a poll is allowed: checks the request itself, and the user's
 * rights and limits. This happens before the hub is asked, since the hub checks no
 * rights. */
#ifndef LONGROOM_ADMISSION_H
#define LONGROOM_ADMISSION_H

#include "poll/poll.h"

/* Returns what is wrong with a request; `in_target` is what was found wrong with its
 * target. PROBLEM_NONE: a poll gets a pass; the caller releases the pass in any case.
 * Drops names that may not be read from the request's rooms: request->forbidden of them
 * stand behind the others. A question who is here gets a pass without a feed.
 *
 * An unknown token is verified first: then poll->verification is set, and nothing is
 * decided yet. The proof is the result of the verification; NULL before it. */
struct problem admit(struct poll *poll, struct poll_request *request,
                     struct problem in_target, struct token_proof *proof,
                     struct pass *pass);

/* Whether these bytes are the request in the memo with another token that is known
 * and has the right. True: a pass, as above. False: call admit(). */
bool admit_by_token(struct poll *poll, struct text bytes, struct pass *pass);

#endif
