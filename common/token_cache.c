#include "token_cache.h"

#include <pthread.h>
#include <stdlib.h>

#include "memory.h"

/* Keys in use while they are replaced: immutable, and counted. */
struct counted_keys {
	struct keyring *keyring;
	size_t holders;
};

struct token_cache {
	pthread_mutex_t lock;
	/* Under the lock: */
	struct counted_keys *keys;
	const struct settings *settings; /* never looked into */
	struct token_entry *sets[TOKEN_CACHE_SETS][TOKEN_CACHE_WAYS];
};

/* These three under the lock, or when no other thread is left. */
static struct counted_keys *keys_new(struct keyring *keyring)
{
	struct counted_keys *keys = memory_get(sizeof *keys);

	*keys = (struct counted_keys){keyring, 1};
	return keys;
}

static void keys_release(struct counted_keys *keys)
{
	if (--keys->holders > 0)
		return;
	keyring_free(keys->keyring);
	free(keys);
}

static void entry_release(struct token_entry *entry)
{
	if (entry == NULL || --entry->holders > 0)
		return;
	identity_release(&entry->identity);
	free(entry);
}

struct token_cache *token_cache_new(const struct settings *settings,
                                    struct keyring *keyring)
{
	struct token_cache *cache = memory_get(sizeof *cache);

	pthread_mutex_init(&cache->lock, NULL);
	cache->keys = keys_new(keyring);
	cache->settings = settings;
	return cache;
}

static void forget_all(struct token_cache *cache)
{
	for (size_t i = 0; i < TOKEN_CACHE_SETS; i++) {
		for (size_t j = 0; j < TOKEN_CACHE_WAYS; j++) {
			entry_release(cache->sets[i][j]);
			cache->sets[i][j] = NULL;
		}
	}
}

void token_cache_free(struct token_cache *cache)
{
	forget_all(cache);
	keys_release(cache->keys);
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

void token_cache_renew(struct token_cache *cache,
                       const struct settings *settings, struct keyring *keyring)
{
	pthread_mutex_lock(&cache->lock);
	keys_release(cache->keys);
	cache->keys = keys_new(keyring);
	cache->settings = settings;
	forget_all(cache);
	pthread_mutex_unlock(&cache->lock);
}

/* The end of a token is its signature, which is as random as a hash. Only tokens
 * that somebody has signed for us are kept, so nobody can choose it. */
static struct token_entry **find_set(struct token_cache *cache, struct text token)
{
	uint64_t end = 0;
	size_t size = token.size < sizeof end ? token.size : sizeof end;

	memcpy(&end, token.data + token.size - size, size);
	return cache->sets[(end * 0x9e3779b97f4a7c15u >> 32) % TOKEN_CACHE_SETS];
}

/* Returns one that is held for the caller, expired or not, or NULL. */
static struct token_entry *find(struct token_cache *cache, struct text token)
{
	struct token_entry **set = find_set(cache, token);

	for (size_t i = 0; i < TOKEN_CACHE_WAYS; i++)
		if (set[i] != NULL &&
		    text_equal(token,
		               (struct text){set[i]->bytes, set[i]->size})) {
			set[i]->holders++;
			return set[i];
		}
	return NULL;
}

/* Takes the place of an empty one, or of the one that expires first. */
static void keep(struct token_cache *cache, struct token_entry *entry)
{
	struct token_entry **set =
		find_set(cache, (struct text){entry->bytes, entry->size});
	size_t place = 0;

	for (size_t i = 0; i < TOKEN_CACHE_WAYS && set[place] != NULL; i++)
		if (set[i] == NULL ||
		    set[i]->expires.wall_ms < set[place]->expires.wall_ms)
			place = i;
	entry_release(set[place]);
	entry->holders++;
	set[place] = entry;
}

static struct token_entry *entry_new(struct token_cache *cache,
                                     struct text token)
{
	struct token_entry *entry = memory_get(sizeof *entry + token.size);

	entry->cache = cache;
	entry->holders = 1;
	entry->size = token.size;
	memcpy(entry->bytes, token.data, token.size);
	return entry;
}

/* The lock is not held while a signature is verified. One that was verified with
 * keys or settings that are not in use any more is not kept. */
static enum token_verdict verify(struct token_cache *cache,
                                 const struct settings *settings,
                                 struct text token, const struct moment *now,
                                 struct token_entry **entry, const char **why)
{
	struct counted_keys *keys = cache->keys;
	struct token_entry *fresh = entry_new(cache, token);
	enum token_verdict verdict;
	int64_t expires_s;

	keys->holders++;
	pthread_mutex_unlock(&cache->lock);
	verdict = token_verify(keys->keyring, settings, token,
	                       now->wall_ms / 1000, &fresh->identity, &expires_s,
	                       why);
	if (verdict == TOKEN_GOOD)
		fresh->expires = moment_of(1000 * expires_s, now);
	pthread_mutex_lock(&cache->lock);
	if (verdict == TOKEN_GOOD && keys == cache->keys &&
	    settings == cache->settings)
		keep(cache, fresh);
	keys_release(keys);
	if (verdict == TOKEN_GOOD)
		*entry = fresh;
	else
		entry_release(fresh);
	return verdict;
}

enum token_verdict token_cache_verify(struct token_cache *cache,
                                      const struct settings *settings,
                                      struct text token,
                                      const struct moment *now,
                                      struct token_entry **entry,
                                      const char **why)
{
	enum token_verdict verdict = TOKEN_GOOD;

	*why = "the token is too long";
	if (token.size > TOKEN_MAX)
		return TOKEN_BAD;
	pthread_mutex_lock(&cache->lock);
	*entry = find(cache, token);
	if (*entry == NULL) {
		verdict = verify(cache, settings, token, now, entry, why);
	} else if (moment_has_come(&(*entry)->expires, now)) {
		entry_release(*entry);
		*entry = NULL;
		*why = "the token has expired";
		verdict = TOKEN_EXPIRED;
	}
	pthread_mutex_unlock(&cache->lock);
	return verdict;
}

struct token_entry *token_cache_find(struct token_cache *cache, struct text token,
                                     const struct moment *now)
{
	pthread_mutex_lock(&cache->lock);
	struct token_entry *entry = find(cache, token);
	if (entry != NULL && moment_has_come(&entry->expires, now)) {
		entry_release(entry);
		entry = NULL;
	}
	pthread_mutex_unlock(&cache->lock);
	return entry;
}

void token_cache_give_back(struct token_entry *entry)
{
	struct token_cache *cache = entry->cache;

	pthread_mutex_lock(&cache->lock);
	entry_release(entry);
	pthread_mutex_unlock(&cache->lock);
}
