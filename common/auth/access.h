/* Authentication and rights. Both programs check each request here before they
 * answer anything about its room (PROTOCOL section 12). access_rooms.h is for requests
 * that may name several.
 *
 * Only this module turns credentials into identities. token.h verifies tokens. */
#ifndef LONGROOM_ACCESS_H
#define LONGROOM_ACCESS_H

#include "auth/credentials.h"
#include "auth/token_cache.h"
#include "base/clock.h"
#include "codec/problem.h"

enum access_right { ACCESS_READ, ACCESS_WRITE };

/* The outcome of access_ask() or access_identify(): the identity, and how long it is valid. */
struct grant {
	const struct identity *identity; /* until access_release_grant(); never NULL */
	struct moment expires; /* or moment_never */
	bool is_by_cookie;  /* or possibly: browsers send cookies unasked */
	struct text unverified;   /* a token not verified yet; see access_identify() */
	struct identity own;      /* identity's storage in mode = nginx */
	struct token_entry *entry; /* identity's storage in mode = token */
};

/* The keys, and the cache of tokens verified with them. Any thread may use it. */
struct access;

/* The caller frees it with access_free(). NULL: *error says why. */
struct access *access_new(const struct auth_settings *settings, struct buffer *error);
void access_free(struct access *access);

/* Reloading takes two steps. The first reads the keys of the new settings (NULL if
 * their mode has no keys); false: *error says why. The second, once the new settings
 * are in place, takes the keys and empties the token cache. */
bool access_read_keys(const struct auth_settings *settings, struct keyring **keyring,
                      struct buffer *error);
void access_use_keys(struct access *access, const struct auth_settings *settings,
                     struct keyring *keyring);

/* Finds out who asks. PROBLEM_NONE: the caller asks for rights, and ends the grant
 * with access_release_grant(). Any other problem: refused whatever the right, and there
 * is nothing to release.
 *
 * This never verifies a signature, which costs as much as a hundred requests; the
 * caller decides where and when to do that. For a token that is not in the cache the
 * problem is PROBLEM_NONE and grant->unverified is the token (otherwise it is
 * empty): nothing is known yet, nor is there anything to release. Verify the token with
 * access_prove(), then ask again with the same credentials and the proof; this
 * consumes the proof. If auth.cookie was changed in between, another token may be
 * found, which has to be verified in its turn. */
struct problem access_identify(struct access *access,
                               const struct auth_settings *settings,
                               const struct credentials *credentials,
                               const struct moment *now, struct grant *grant);

/* Whether a grant includes a right. None of these depends on which rooms exist. */
bool access_may(const struct auth_settings *settings, const struct grant *grant,
                const struct room_name *room, enum access_right right);
/* Every room, those that come to be later too. */
bool access_may_read_all(const struct auth_settings *settings,
                         const struct grant *grant);

/* The problem of a grant that lacks a right: 403 with this detail, or 401 if the
 * request is unauthenticated. */
struct problem access_lacking(const struct auth_settings *settings,
                              const struct grant *grant, const char *detail);

/* Asks for a right to a room: identifies, and decides. PROBLEM_NONE: granted, unless
 * grant->unverified is set; both as for access_identify(). Any other problem: refused,
 * and there is nothing to release. */
struct problem access_ask(struct access *access, const struct auth_settings *settings,
                          const struct credentials *credentials,
                          const struct room_name *room, enum access_right right,
                          const struct moment *now, struct grant *grant);
void access_release_grant(struct grant *grant);

/* Verifies a token's signature. From any thread. The proof borrows the token. The
 * caller passes the proof to access_identify() or access_ask(), or drops it. */
void access_prove(struct access *access, struct text token,
                  struct token_proof *proof);
void access_drop_proof(struct access *access, struct token_proof *proof);

/* Whether the keys that made the proof are still in use. */
bool access_is_current(struct access *access, const struct token_proof *proof);

/* A shortcut for a request that differs from an earlier one only in the token of its
 * Authorization header. False: the token is not in the cache, and there is nothing to
 * release; then access_identify() gives the answer. */
bool access_identify_by_token(struct access *access, struct text token,
                              const struct moment *now, struct grant *grant);

/* Adds WWW-Authenticate if the problem is a 401. The problem comes from
 * access_ask(), or says that a token has expired. */
void access_add_challenge(const struct auth_settings *settings,
                          struct problem problem, struct buffer *headers);

/* Whether pages of this origin may use Longroom from a browser. */
bool access_is_listed(const struct auth_settings *settings, struct text origin);

/* Adds the headers of the Fetch standard's CORS protocol if the origin is listed. If
 * auth.origins is set, adds Vary: Origin in any case. */
void access_add_cors(const struct auth_settings *settings, struct text origin,
                     struct buffer *headers);

/* Adds the other headers of a preflight's answer. */
void access_add_preflight(const char *methods, struct buffer *headers);

#endif
