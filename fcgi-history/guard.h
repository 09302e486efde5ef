/* Who sends a request, and whether he may have what it asks for: answered before
 * anything is said about the room (PROTOCOL section 12). */
#ifndef LONGROOM_GUARD_H
#define LONGROOM_GUARD_H

#include "auth/access.h"
#include "service.h"

/* True: he may, and request->sender says who it is. False: the error is in
 * request->exchange.response, unless request->is_unverified: then nothing is known of the
 * token of request->verification. Once that is done this is to be called again. */
bool guard_let_in(struct service *service, struct request *request,
                  enum access_right right);

/* Adds the headers for pages of other origins. */
void guard_add_cors(struct service *service, struct request *request);

/* Whether it is a preflight that may be answered, and the answer to it. */
bool guard_answer_preflight(struct service *service, struct request *request,
                            const char *methods);

#endif
