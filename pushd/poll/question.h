/* A question who is here: GET .../presence, once it is admitted.
 *
 * The rooms are rendered when it is answered, as they are then. A hundred rooms of a
 * hundred users make a megabyte, so there are shares of it (turn.h): when one is used
 * up, questions wait for their turn, first in, first out. */
#ifndef LONGROOM_QUESTION_H
#define LONGROOM_QUESTION_H

#include "poll/poll.h"

/* Answers it, or parks it. */
void question_begin(struct poll *poll, const struct poll_request *request,
                    const struct pass *pass);

/* Answers those whose turn it is. */
void questions_go_on(struct polls *polls);

/* The transport's events for a question that waits (transport.h): */
void question_expire(struct poll *poll);
void question_drain(struct poll *poll);
/* It was answered, or its client is gone. */
void question_release(struct poll *poll);

#endif
