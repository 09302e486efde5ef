/* Tokens (JWT, RFC 7519): a signed identity. Claims are read from the signed bytes.
 * A token with a repeated member is refused, so no two readers can read it
 * differently (json_value.h).
 *
 * The key, never the token, determines which algorithms it may be used with. If any
 * key has a kid, a token with a kid is verified only with the keys of that kid. A
 * token without one is verified with the keys without a kid first, then with others.
 * At most KEYRING_TRIED_MAX keys are tried for a token, since anyone may send
 * tokens. */
#ifndef LONGROOM_TOKEN_H
#define LONGROOM_TOKEN_H

#include "auth/identity.h"
#include "auth/keyring.h"

enum {
	TOKEN_MAX = 8192, /* bytes */
};

enum token_verdict { TOKEN_GOOD, TOKEN_EXPIRED, TOKEN_BAD };

/* TOKEN_GOOD: fills *identity, which the caller releases, and *expires_s, the time
 * of expiry: exp plus auth.clock_skew. Otherwise *identity is {0}, and *why has the
 * reason, for people. */
enum token_verdict token_verify(const struct keyring *keyring,
                                const struct auth_settings *settings,
                                struct text token, int64_t now_s,
                                struct identity *identity, int64_t *expires_s,
                                const char **why);

/* token_verify() in two steps. The first checks the signature, which takes nearly
 * all of the time. The second judges the claims of a genuine token. */
bool token_is_genuine(const struct keyring *keyring, struct text token,
                      const char **why);
enum token_verdict token_judge(struct text token, const struct auth_settings *settings,
                               int64_t now_s, struct identity *identity,
                               int64_t *expires_s, const char **why);

/* Judges claims alone, for a token that is still to be signed. */
enum token_verdict token_judge_claims(struct text claims,
                                      const struct auth_settings *settings,
                                      int64_t now_s, struct identity *identity,
                                      int64_t *expires_s, const char **why);

/* Adds a token's header and claims as JSON objects, without checking the signature.
 * Adds nothing for a part that is not a valid JSON object. */
void token_read(struct text token, struct buffer *header, struct buffer *claims);

/* Adds a token; kid may be NULL. False if the key may not be used with the
 * algorithm. */
bool token_sign(const struct key *key, const char *algorithm, const char *kid,
                struct text claims, struct buffer *token);

#endif
