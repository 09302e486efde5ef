/* Tokens that were verified, so that a poll costs no signature: at the most
 * TOKEN_CACHE_SETS * TOKEN_CACHE_WAYS of them. A token is found by all of its bytes.
 *
 * A token expires when the wall clock says so, or when so much time has passed as
 * it had left when it was verified, whichever is first: neither is it good longer
 * because the wall clock was set back. From any thread. */
#ifndef LONGROOM_TOKEN_CACHE_H
#define LONGROOM_TOKEN_CACHE_H

#include "clock.h"
#include "token.h"

enum { TOKEN_CACHE_SETS = 8192, TOKEN_CACHE_WAYS = 4 };

/* Immutable, and counted. */
struct token_entry {
	struct identity identity;
	struct moment expires;
	struct token_cache *cache;
	size_t holders; /* under the cache's lock */
	size_t size;
	char bytes[];
};

struct token_cache;

/* Takes the keys. Only what is good by these settings is kept: they are compared
 * by their address, and whoever uses others while they are replaced may do so. */
struct token_cache *token_cache_new(const struct settings *settings,
                                    struct keyring *keyring);
/* When nobody holds an entry. */
void token_cache_free(struct token_cache *cache);

/* Takes other keys and settings, and forgets all tokens. */
void token_cache_renew(struct token_cache *cache,
                       const struct settings *settings, struct keyring *keyring);

/* If the token is good, *entry is to be given back. Otherwise as token_verify(). */
enum token_verdict token_cache_verify(struct token_cache *cache,
                                      const struct settings *settings,
                                      struct text token, const struct moment *now,
                                      struct token_entry **entry,
                                      const char **why);

/* One that was verified already, to be given back; NULL: there is none. */
struct token_entry *token_cache_find(struct token_cache *cache, struct text token,
                                     const struct moment *now);
void token_cache_give_back(struct token_entry *entry);

#endif
