/* Signatures of tokens (RFC 7518 section 3, RFC 8037 section 3.1), verified and
 * made. Which key may be used for which algorithm is the key's to say (key.h). */
#ifndef LONGROOM_SIGNATURE_H
#define LONGROOM_SIGNATURE_H

#include "auth/key.h"

/* Whether the key, if it is for the algorithm, has signed the text so. From any
 * thread. */
bool signature_is_good(const struct key *key, const char *algorithm,
                       struct text text, struct text signature);

/* Adds one. False if the key is not for the algorithm, or can't sign. */
bool signature_make(const struct key *key, const char *algorithm,
                    struct text text, struct buffer *signature);

#endif
