/* Tokens that came before, so that a poll costs no signature. From any thread.
 *
 * Good ones: at the most TOKEN_CACHE_SETS * TOKEN_CACHE_WAYS of them. A token
 * expires when the wall clock says so, or when so much time has passed as it had
 * left when it was verified, whichever is first: neither is it good longer because
 * the wall clock was set back.
 *
 * Others: at the most TOKEN_CACHE_REFUSED, of up to TOKEN_CACHE_REFUSED_MAX bytes,
 * whose signature is wrong, or right though they are not good now. So who comes
 * again and again with a token that is refused costs one verification.
 *
 * A token is found by all of its bytes. */
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

/* Immutable. Whoever gets a reference drops it by token_cache_unref(). */
struct token_entry {
	struct identity identity;
	struct moment expires;
	struct token_cache *cache;
	size_t refcount; /* under the cache's lock */
	size_t size;
	char bytes[];
};

/* What came of verifying a token's signature, and with which keys. */
struct token_proof {
	struct text token; /* borrowed */
	struct counted_keys *keys; /* a reference; NULL: nothing was verified */
	bool is_genuine;
	const char *why; /* it is not */
};

struct token_cache;

/* Takes the keys. Only what is good by these settings is kept: they are compared
 * by their address, and whoever uses others while they are replaced may do so. */
struct token_cache *token_cache_new(const struct auth_settings *settings,
                                    struct keyring *keyring);
/* When there are no references to entries, and no proofs. */
void token_cache_free(struct token_cache *cache);

/* Takes other keys and settings, and forgets all tokens. */
void token_cache_renew(struct token_cache *cache,
                       const struct auth_settings *settings, struct keyring *keyring);

/* What is known of a token without verifying its signature. False: nothing. If it
 * is good, *entry is a reference. Otherwise as token_verify(). */
bool token_cache_recall(struct token_cache *cache,
                        const struct auth_settings *settings, struct text token,
                        const struct moment *now, enum token_verdict *verdict,
                        struct token_entry **entry, const char **why);

/* Verifies a token's signature with the keys that are in use, which takes long. The
 * proof is to be admitted or dropped, and borrows the token until then. */
void token_cache_prove(struct token_cache *cache, struct text token,
                       struct token_proof *proof);
/* Whether its keys are still those that are in use. */
bool token_cache_is_current(struct token_cache *cache,
                            const struct token_proof *proof);

/* Judges a token by its proof, which is dropped, and keeps it, unless the proof's
 * keys or these settings have been replaced. As token_cache_recall(). */
enum token_verdict token_cache_admit(struct token_cache *cache,
                                     const struct auth_settings *settings,
                                     struct text token,
                                     struct token_proof *proof,
                                     const struct moment *now,
                                     struct token_entry **entry,
                                     const char **why);
void token_cache_drop(struct token_cache *cache, struct token_proof *proof);

/* A reference to a good one; NULL: there is none. */
struct token_entry *token_cache_find(struct token_cache *cache, struct text token,
                                     const struct moment *now);
void token_cache_unref(struct token_entry *entry);

#endif
