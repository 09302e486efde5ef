/* Answers polls over HTTP. */
#ifndef LONGROOM_ANSWERING_H
#define LONGROOM_ANSWERING_H

#include "http/answer.h"
#include "poll/poll.h"

/* Answers the request, with the headers for its origin. Borrows the answer. */
void answer_poll(struct poll *poll, struct answer *answer);

/* Answers with a problem, and counts it. A 401 gets WWW-Authenticate. */
void answer_refusal(struct poll *poll, struct problem problem);

/* The same for a request of this kind: a stream gets a 429 or 503 as an event. */
void answer_refusal_of(struct poll *poll, enum route_kind kind,
                       struct problem problem);

/* Answers a preflight, for polls from pages of another origin. */
void answer_preflight(struct poll *poll);

#endif
