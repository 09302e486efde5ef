/* Checks rights before anything about the room is answered (PROTOCOL section 12).
 * Its answers are errors, and those to preflights. */
#ifndef LONGROOM_GUARD_H
#define LONGROOM_GUARD_H

#include "auth/access.h"
#include "verbs/request.h"

enum guard_verdict {
	GUARD_ALLOWED, /* request->sender is the user, if known */
	GUARD_REFUSED, /* the error is the answer */
	/* The token in request->verification is not verified yet: verify it, then
	 * call the guard again. */
	GUARD_UNVERIFIED,
};

enum guard_verdict guard_ask(struct access *access,
                             const struct auth_settings *settings,
                             struct request *request, enum access_right right);

/* Adds the CORS headers. */
void guard_add_cors(const struct auth_settings *settings,
                    struct request *request);

/* True: it is an allowed preflight, and has been answered. */
bool guard_answer_preflight(const struct auth_settings *settings,
                            struct request *request, const char *methods);

#endif
