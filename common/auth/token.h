/* Tokens (JWT, RFC 7519): who somebody is, signed. What a token says is read from
 * the bytes that were signed, and in one way only: nothing in it is given twice
 * (json_value.h).
 *
 * What a key is for is decided by the key, never by a token. A token that names a
 * key (kid) is verified with keys of that name only, if keys have names; another
 * with those that have none, and then with others. Each is tried with a few keys
 * at the most (KEYRING_TRIED_MAX), as anybody may send what has to be verified. */
#ifndef LONGROOM_TOKEN_H
#define LONGROOM_TOKEN_H

#include "auth/identity.h"
#include "auth/keyring.h"

enum {
	TOKEN_MAX = 8192, /* bytes */
};

enum token_verdict { TOKEN_GOOD, TOKEN_EXPIRED, TOKEN_BAD };

/* If it is good, fills *identity, which the caller releases, and *expires_s, from
 * when on it is not good any more: its exp and auth.clock_skew. Else *why says
 * what is wrong, for people, and *identity is {0}. */
enum token_verdict token_verify(const struct keyring *keyring,
                                const struct auth_settings *settings,
                                struct text token, int64_t now_s,
                                struct identity *identity, int64_t *expires_s,
                                const char **why);

/* Both halves of it: whether it is signed with one of the keys, which is nearly
 * all that it costs, and what somebody who is known to have signed it says. */
bool token_is_genuine(const struct keyring *keyring, struct text token,
                      const char **why);
enum token_verdict token_judge(struct text token, const struct auth_settings *settings,
                               int64_t now_s, struct identity *identity,
                               int64_t *expires_s, const char **why);

/* The same for claims whose signature is somebody else's matter: of a token that
 * is to be made. */
enum token_verdict token_judge_claims(struct text claims,
                                      const struct auth_settings *settings,
                                      int64_t now_s, struct identity *identity,
                                      int64_t *expires_s, const char **why);

/* Adds what a token says, whoever says so: the JSON of an object each that was
 * checked, or nothing, if it can't be read. */
void token_read(struct text token, struct buffer *header, struct buffer *claims);

/* Adds a token; kid may be NULL. False if the key is not for the algorithm. */
bool token_sign(const struct key *key, const char *algorithm, const char *kid,
                struct text claims, struct buffer *token);

#endif
