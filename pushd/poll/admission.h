/* Whether a poll may be: the request itself, and the rights and limits of whoever
 * asks. Asked before the hub is, as what that has is for those who may read it. */
#ifndef LONGROOM_ADMISSION_H
#define LONGROOM_ADMISSION_H

#include "poll/poll.h"

/* What is wrong with a request whose target was read, of which `in_target` was found
 * wrong. If nothing is, a poll has a pass, whose user is the caller's to give
 * back.
 *
 * A token that has not come before is verified first: then poll->verification is
 * set, and nothing was decided. The proof is what came of it, NULL before. */
struct problem admit(struct poll *poll, const struct poll_request *request,
                     struct problem in_target, struct token_proof *proof,
                     struct pass *pass);

/* Whether these bytes are the request in the memo with another token, which is known
 * and may do the same. True: a pass, as above. False: admit() has more to say. */
bool admit_by_token(struct poll *poll, struct text bytes, struct pass *pass);

#endif
