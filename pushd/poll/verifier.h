/* The thread that verifies unknown tokens, so that signatures, which anyone may
 * send, never stall the event loop. Tokens are verified first in, first out, one at
 * a time for each connection; so a client that sends many does not overtake others.
 * All functions are called on the loop's thread.
 *
 * If keys are replaced meanwhile, a token verified with the old keys is verified
 * again before its owner is told. */
#ifndef LONGROOM_VERIFIER_H
#define LONGROOM_VERIFIER_H

#include <ev.h>

#include "auth/access.h"

enum { VERIFIER_MAX = 256 }; /* tokens under way */

struct verifier;
struct verification;

/* The owner's token was verified. The owner takes the proof (access.h). */
typedef void verifier_done(void *owner, struct token_proof *proof);

/* Borrows the access. */
struct verifier *verifier_start(struct ev_loop *loop, struct access *access,
                                verifier_done *done);

/* Ends the thread. Call when everything under way has been forgotten. */
void verifier_stop(struct verifier *verifier);

/* Copies the token. Returns the verification, which lives until done() is called or
 * it is forgotten. NULL: too many are under way. */
struct verification *verifier_ask(struct verifier *verifier, struct text token,
                                  void *owner);

/* Forgets a verification: done() will not be called. */
void verifier_forget(struct verifier *verifier,
                     struct verification *verification);

#endif
