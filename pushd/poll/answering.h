/* What a poll's client is told, over HTTP. */
#ifndef LONGROOM_ANSWERING_H
#define LONGROOM_ANSWERING_H

#include "http/answer.h"
#include "poll/poll.h"

/* Answers the request, with the headers that are for its origin. Borrows the
 * answer. */
void answer_poll(struct poll *poll, struct answer *answer);

/* The same for a problem. It is counted, and a 401 says how to log in. */
void answer_refusal(struct poll *poll, struct problem problem);

/* ... and for a browser that asks whether a page of another origin may poll. */
void answer_preflight(struct poll *poll);

#endif
