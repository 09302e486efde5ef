/* The thread that verifies tokens which have not come before, so that signatures,
 * which anybody may send, never stall the event loop. It takes them in the order in
 * which they came, each connection's one; so who sends many can't pass those who
 * send one. All but the thread is of the loop's thread.
 *
 * Keys that are replaced meanwhile count: what was verified with others is verified
 * again before anybody is told. */
#ifndef LONGROOM_VERIFIER_H
#define LONGROOM_VERIFIER_H

#include <ev.h>

#include "auth/access.h"

enum { VERIFIER_MAX = 256 }; /* tokens under way */

struct verifier;
struct verification;

/* The owner's token was verified; the proof is the owner's to use up. */
typedef void verifier_done(void *owner, struct token_proof *proof);

/* Borrows the access. */
struct verifier *verifier_start(struct ev_loop *loop, struct access *access,
                                verifier_done *done);

/* Ends the thread. When all that is under way was forgotten. */
void verifier_stop(struct verifier *verifier);

/* Copies the token. Returns what done() ends, unless it is forgotten before; NULL:
 * too many are under way. */
struct verification *verifier_ask(struct verifier *verifier, struct text token,
                                  void *owner);

/* Nobody is told. */
void verifier_forget(struct verifier *verifier,
                     struct verification *verification);

#endif
