/* The thread that verifies tokens which have not come before. Anybody may send such
 * tokens, and each takes as long as many requests: verified by workers they would
 * hold all processors, and all workers. Here a request waits for its turn and holds
 * no thread, and so many wait at the most. They are taken in the order in which they
 * came. */
#ifndef LONGROOM_VERIFICATIONS_H
#define LONGROOM_VERIFICATIONS_H

#include "auth/access.h"

enum { VERIFICATIONS_MAX = 256 };

struct verifications;

/* What a request waits with. */
struct verification {
	struct text token;  /* borrowed until it is done */
	struct token_proof proof;
	bool is_done;       /* the proof is there */
	void *context;      /* the owner's */
	struct verification *next; /* among those that wait */
};

/* By the thread: it is done, with the keys that are in use now, and its owner's
 * again. */
typedef void verification_done(void *context, struct verification *verification);

/* Borrows the access. At most so many are under way: 1 to VERIFICATIONS_MAX. */
struct verifications *verifications_start(struct access *access, size_t most,
                                          verification_done *done,
                                          void *context);
/* Verifies all that are under way first; no more may come. */
void verifications_stop(struct verifications *all);

/* From any thread. False: there is no room; it stays the caller's. */
bool verifications_put(struct verifications *all, struct verification *v);

#endif
