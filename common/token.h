/* Tokens (JWT, RFC 7519): who somebody is, signed. token.c is the only file that
 * knows libjwt.
 *
 * What a key is for is decided by the key, never by a token: a shared secret
 * verifies HS256, HS384 and HS512, a public key what it can. */
#ifndef LONGROOM_TOKEN_H
#define LONGROOM_TOKEN_H

#include "identity.h"

enum { TOKEN_MAX = 8192 };

struct keyring; /* immutable */

/* Reads auth.keys. NULL: *error says why. */
struct keyring *keyring_read(const struct settings *settings,
                             struct buffer *error);
void keyring_free(struct keyring *keyring);

enum token_verdict { TOKEN_GOOD, TOKEN_EXPIRED, TOKEN_BAD };

/* If it is good, fills *identity, which the caller releases, and *expires_s, from
 * when on it is not good any more: its exp and auth.clock_skew. Else *why says
 * what is wrong, for people. */
enum token_verdict token_verify(const struct keyring *keyring,
                                const struct settings *settings,
                                struct text token, int64_t now_s,
                                struct identity *identity, int64_t *expires_s,
                                const char **why);

#endif
