/* Who is it, and may he? What both programs ask of a request before they say
 * anything about the room that it names (PROTOCOL section 12).
 *
 * How identities are made of what a request carries is here and nowhere else;
 * tokens are verified by token.h. */
#ifndef LONGROOM_ACCESS_H
#define LONGROOM_ACCESS_H

#include "auth/credentials.h"
#include "auth/token_cache.h"
#include "base/clock.h"
#include "codec/problem.h"

enum access_right { ACCESS_READ, ACCESS_WRITE };

/* Who was let in. */
struct grant {
	const struct identity *identity; /* until access_give_back(); never NULL */
	struct moment expires; /* or moment_never */
	bool is_by_cookie;  /* or may be: a browser sends it by itself */
	struct text unverified;   /* a token of which nothing is known, see below */
	struct identity own;      /* ... where it is of this request only */
	struct token_entry *entry; /* ... where it is of a token */
};

/* The keys, and the tokens that were verified with them. From any thread. */
struct access;

/* NULL: *error says why. */
struct access *access_new(const struct auth_settings *settings, struct buffer *error);
void access_free(struct access *access);

/* Other settings are to be used: first their keys are read (NULL if the mode has
 * none), which may fail; *error says why. Once the settings are in their place,
 * the keys are used, and all tokens are forgotten. */
bool access_read_keys(const struct auth_settings *settings, struct keyring **keyring,
                      struct buffer *error);
void access_use_keys(struct access *access, const struct auth_settings *settings,
                     struct keyring *keyring);

/* Asks for a right. If the problem is PROBLEM_NONE the grant is to be given
 * back, else there is none.
 *
 * This takes no longer than a look into memory. A token that has not come before
 * has to be verified, which costs as much as a hundred requests, so where and when
 * is the caller's to say: grant->unverified is then that token (else it is empty),
 * and the right was neither granted nor refused. access_prove() verifies it;
 * then ask again, with the same credentials and the proof, which is used up. If other
 * settings look for the token elsewhere by then, that is another one, and may have to
 * be verified in its turn. */
struct problem access_ask(struct access *access, const struct auth_settings *settings,
                          const struct credentials *credentials,
                          const struct room_name *room, enum access_right right,
                          const struct moment *now, struct grant *grant);
void access_give_back(struct grant *grant);

/* From any thread. The proof is to be used up by access_ask(), or dropped, and
 * borrows the token until then. */
void access_prove(struct access *access, struct text token,
                  struct token_proof *proof);
void access_drop_proof(struct access *access, struct token_proof *proof);

/* Whether the keys that it was proven with are still those that are in use. */
bool access_is_current(struct access *access, const struct token_proof *proof);

/* The same for a request that differs from one that was granted in the token of
 * its Authorization alone. False: that token was not verified yet, or lacks the
 * right; access_ask() has more to say. */
bool access_ask_for_token(struct access *access, const struct auth_settings *settings,
                          struct text token, const struct room_name *room,
                          enum access_right right, const struct moment *now,
                          struct grant *grant);

/* Adds the header that has to go with a 401, or nothing. The problem is one of
 * access_ask(), or a token that has expired. */
void access_add_challenge(const struct auth_settings *settings,
                          struct problem problem, struct buffer *headers);

/* Whether pages of this origin may use Longroom from a browser. */
bool access_is_listed(const struct auth_settings *settings, struct text origin);

/* Adds the headers that let them (the Fetch standard's CORS protocol), or nothing.
 * With auth.origins, answers differ by origin, and say so. */
void access_add_cors(const struct auth_settings *settings, struct text origin,
                     struct buffer *headers);

/* Adds what else a preflight wants to know. */
void access_add_preflight(const char *methods, struct buffer *headers);

#endif
