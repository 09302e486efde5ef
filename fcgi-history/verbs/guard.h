/* May they have what they ask for: answered before anything is said about the room
 * (PROTOCOL section 12). What it answers is an error or a preflight. */
#ifndef LONGROOM_GUARD_H
#define LONGROOM_GUARD_H

#include "auth/access.h"
#include "verbs/request.h"

enum guard_verdict {
	GUARD_ALLOWED, /* request->sender is the user, if known */
	GUARD_REFUSED, /* the error is the answer */
	/* Nothing is known of the token of request->verification: once that is done
	 * the guard is to be asked again. */
	GUARD_UNVERIFIED,
};

enum guard_verdict guard_ask(struct access *access,
                             const struct auth_settings *settings,
                             struct request *request, enum access_right right);

/* Adds the headers for pages of other origins. */
void guard_add_cors(const struct auth_settings *settings,
                    struct request *request);

/* Whether it is a preflight that may be answered, and the answer to it. */
bool guard_answer_preflight(const struct auth_settings *settings,
                            struct request *request, const char *methods);

#endif
