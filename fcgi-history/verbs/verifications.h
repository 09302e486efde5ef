/* The thread that verifies unknown tokens. Anyone can send such tokens, and each
 * takes as long as many requests. If workers verified them, they could take all
 * processors and all workers. Here requests wait in a queue of limited length, first
 * in, first out, without holding a thread. */
#ifndef LONGROOM_VERIFICATIONS_H
#define LONGROOM_VERIFICATIONS_H

#include "auth/access.h"

enum { VERIFICATIONS_MAX = 256 };

struct verifications;

/* One request's verification. */
struct verification {
	struct text token;  /* borrowed until is_done */
	struct token_proof proof;
	bool is_done;       /* the proof is there */
	struct verification *next; /* among those that wait */
};

/* Called on the thread: it is done, with the current keys, and belongs to its owner
 * again. */
typedef void verification_done(void *context, struct verification *verification);

/* Borrows `access`. At most `limit` are under way, 1 to VERIFICATIONS_MAX. */
struct verifications *verifications_start(struct access *access, size_t most,
                                          verification_done *done,
                                          void *context);
/* First verifies all that are under way. No more may be added. */
void verifications_stop(struct verifications *all);

/* Adds one, from any thread. False: the queue is full; it stays the caller's. */
bool verifications_put(struct verifications *all, struct verification *v);

#endif
