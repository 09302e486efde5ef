/* What longroom-pushd does with requests: what the transport hands up comes here,
 * and goes on to waiting.h, to operator.h, or back with a problem. */
#ifndef LONGROOM_REQUESTS_H
#define LONGROOM_REQUESTS_H

#include "poll/poll.h"

/* For a server whose context is a struct polls. */
extern const struct http_handlers requests_handlers;

/* The verifier's answer; the owner is a struct poll. */
void requests_verified(void *owner, struct token_proof *proof);

/* limits.head_timeout is longer by so much: for those with the verifier too. */
void requests_extend_verifying(struct polls *polls, int64_t ms);

#endif
