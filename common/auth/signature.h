/* Verifies and makes the signatures of tokens (RFC 7518 section 3, RFC 8037 section
 * 3.1). key_is_for() decides which key may be used with which algorithm. */
#ifndef LONGROOM_SIGNATURE_H
#define LONGROOM_SIGNATURE_H

#include "auth/key.h"

/* Whether this is the key's signature of the text. False also if the key may not be
 * used with the algorithm. From any thread. */
bool signature_is_good(const struct key *key, const char *algorithm,
                       struct text text, struct text signature);

/* Adds a signature. False if the key may not be used with the algorithm, or can't
 * sign. */
bool signature_make(const struct key *key, const char *algorithm,
                    struct text text, struct buffer *signature);

#endif
