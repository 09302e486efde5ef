/* Handles the requests that the transport passes up: sends them on to waiting.h or
 * operator.h, or answers with a problem. */
#ifndef LONGROOM_REQUESTS_H
#define LONGROOM_REQUESTS_H

#include "poll/poll.h"

/* For a server whose context is a struct polls. */
extern const struct http_handlers requests_handlers;

/* The verifier's result; the owner is a struct poll. */
void requests_verified(void *owner, struct token_proof *proof);

/* limits.head_timeout has become longer by this much: also for polls with the
 * verifier. */
void requests_extend_verifying(struct polls *polls, int64_t ms);

#endif
