/* A cache of verified tokens, so that a poll with a known token verifies no
 * signature. From any thread.
 *
 * Accepted tokens: at most TOKEN_CACHE_SETS * TOKEN_CACHE_WAYS. A token expires by
 * the wall clock, or when the lifetime that it had when verified has passed,
 * whichever is sooner. So setting the wall clock back prolongs nothing.
 *
 * Refused tokens: at most TOKEN_CACHE_REFUSED, of up to TOKEN_CACHE_REFUSED_MAX
 * bytes each. Their signature is wrong, or is genuine but the claims are not valid
 * now. So a client that repeats a refused token costs one verification.
 *
 * Lookups compare all bytes of a token. */
#ifndef LONGROOM_TOKEN_CACHE_H
#define LONGROOM_TOKEN_CACHE_H

#include "auth/token.h"
#include "base/clock.h"

enum {
	TOKEN_CACHE_SETS = 8192,
	TOKEN_CACHE_WAYS = 4,
	TOKEN_CACHE_REFUSED = 1024,
	TOKEN_CACHE_REFUSED_MAX = 2048, /* bytes */
};

/* Immutable. A caller that gets a reference drops it with token_cache_unref(). */
struct token_entry {
	struct identity identity;
	struct moment expires;
	struct token_cache *cache;
	size_t refcount; /* under the cache's lock */
	size_t size;
	char bytes[];
};

/* The result of verifying a token's signature, and the keys that were used. */
struct token_proof {
	struct text token; /* borrowed */
	struct counted_keys *keys; /* a reference; NULL: nothing was verified */
	bool is_genuine;
	const char *why; /* if it is not genuine: the reason */
};

struct token_cache;

/* Takes the keys. The cache keeps only results that were obtained with these
 * settings, which it compares by address. A thread may still pass older settings
 * while they are replaced; its results are not kept. */
struct token_cache *token_cache_new(const struct auth_settings *settings,
                                    struct keyring *keyring);
/* Call when no references to entries and no proofs are left. */
void token_cache_free(struct token_cache *cache);

/* Takes other keys and settings, and empties the cache. */
void token_cache_renew(struct token_cache *cache,
                       const struct auth_settings *settings, struct keyring *keyring);

/* Looks a token up without verifying its signature. False: it is not in the cache.
 * TOKEN_GOOD: *entry is a reference. Otherwise *why is as for token_verify(). */
bool token_cache_recall(struct token_cache *cache,
                        const struct auth_settings *settings, struct text token,
                        const struct moment *now, enum token_verdict *verdict,
                        struct token_entry **entry, const char **why);

/* Verifies a token's signature with the current keys, which takes long. The proof
 * borrows the token. The caller admits or drops it. */
void token_cache_prove(struct token_cache *cache, struct text token,
                       struct token_proof *proof);
/* Whether its keys are still the current ones. */
bool token_cache_is_current(struct token_cache *cache,
                            const struct token_proof *proof);

/* Judges a token by its proof, and drops the proof. Keeps the result unless the
 * proof's keys or these settings have been replaced. Returns and fills the same as
 * token_cache_recall(). */
enum token_verdict token_cache_admit(struct token_cache *cache,
                                     const struct auth_settings *settings,
                                     struct text token,
                                     struct token_proof *proof,
                                     const struct moment *now,
                                     struct token_entry **entry,
                                     const char **why);
void token_cache_drop(struct token_cache *cache, struct token_proof *proof);

/* Returns a reference to a good entry; NULL: there is none. */
struct token_entry *token_cache_find(struct token_cache *cache, struct text token,
                                     const struct moment *now);
void token_cache_unref(struct token_entry *entry);

#endif
