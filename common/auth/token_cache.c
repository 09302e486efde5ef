#include "auth/token_cache.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/memory.h"

/* Immutable and reference-counted, since threads use keys while they are
 * replaced. */
struct counted_keys {
	struct keyring *keyring;
	size_t refcount;
};

struct refused {
	const char *why; /* NULL: it is genuine */
	size_t size;
	char bytes[];
};

struct token_cache {
	uint64_t seed;
	pthread_mutex_t lock;
	/* Under the lock: */
	struct counted_keys *keys;
	const struct auth_settings *settings; /* never looked into */
	struct token_entry *sets[TOKEN_CACHE_SETS][TOKEN_CACHE_WAYS];
	struct refused *refused[TOKEN_CACHE_REFUSED];
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
	if (--keys->refcount > 0)
		return;
	keyring_free(keys->keyring);
	free(keys);
}

static void entry_release(struct token_entry *entry)
{
	if (entry == NULL || --entry->refcount > 0)
		return;
	identity_release(&entry->identity);
	free(entry);
}

struct token_cache *token_cache_new(const struct auth_settings *settings,
                                    struct keyring *keyring)
{
	struct token_cache *cache = memory_get(sizeof *cache);

	cache->seed = hash_seed();
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
	for (size_t i = 0; i < TOKEN_CACHE_REFUSED; i++) {
		free(cache->refused[i]);
		cache->refused[i] = NULL;
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
                       const struct auth_settings *settings, struct keyring *keyring)
{
	pthread_mutex_lock(&cache->lock);
	keys_release(cache->keys);
	cache->keys = keys_new(keyring);
	cache->settings = settings;
	forget_all(cache);
	pthread_mutex_unlock(&cache->lock);
}

/* A token ends with its signature, which is as random as a hash. Only genuine tokens
 * are kept here, so a client cannot choose these bytes. */
static struct token_entry **find_set(struct token_cache *cache, struct text token)
{
	uint64_t end = 0;
	size_t size = token.size < sizeof end ? token.size : sizeof end;

	memcpy(&end, token.data + token.size - size, size);
	return cache->sets[(end * 0x9e3779b97f4a7c15u >> 32) % TOKEN_CACHE_SETS];
}

/* Returns a reference, expired or not, or NULL. */
static struct token_entry *find_entry(struct token_cache *cache, struct text token)
{
	struct token_entry **set = find_set(cache, token);

	for (size_t i = 0; i < TOKEN_CACHE_WAYS; i++)
		if (set[i] != NULL &&
		    text_equal(token,
		               (struct text){set[i]->bytes, set[i]->size})) {
			set[i]->refcount++;
			return set[i];
		}
	return NULL;
}

/* Uses an empty place, or replaces the entry that expires first. */
static void keep(struct token_cache *cache, struct token_entry *entry)
{
	struct token_entry **set =
		find_set(cache, (struct text){entry->bytes, entry->size});
	size_t place = 0;

	for (size_t i = 0; i < TOKEN_CACHE_WAYS && set[place] != NULL; i++) {
		/* Two requests with this token were verified at the same time. */
		if (set[i] != NULL && set[i]->size == entry->size &&
		    memcmp(set[i]->bytes, entry->bytes, entry->size) == 0) {
			place = i;
			break;
		}
		if (set[i] == NULL ||
		    set[i]->expires.wall_ms < set[place]->expires.wall_ms)
			place = i;
	}
	entry_release(set[place]);
	entry->refcount++;
	set[place] = entry;
}

static struct token_entry *entry_new(struct token_cache *cache,
                                     struct text token)
{
	struct token_entry *entry = memory_get(sizeof *entry + token.size);

	entry->cache = cache;
	entry->refcount = 1;
	entry->size = token.size;
	memcpy(entry->bytes, token.data, token.size);
	return entry;
}

/* ---- Refused ones ---- */

/* The place comes from a seeded hash: clients choose the bytes, but not the
 * place. */
static struct refused **find_refused(struct token_cache *cache, struct text token)
{
	return &cache->refused[hash_place(cache->seed, token,
	                                  TOKEN_CACHE_REFUSED)];
}

static bool is_refused(struct token_cache *cache, struct text token,
                       const char **why)
{
	const struct refused *refused;

	if (token.size > TOKEN_CACHE_REFUSED_MAX)
		return false;
	refused = *find_refused(cache, token);
	if (refused == NULL ||
	    !text_equal(token, (struct text){refused->bytes, refused->size}))
		return false;
	*why = refused->why;
	return true;
}

static void keep_refused(struct token_cache *cache, struct text token,
                         const char *why)
{
	struct refused **place, *refused;

	if (token.size > TOKEN_CACHE_REFUSED_MAX)
		return;
	refused = memory_get(sizeof *refused + token.size);
	*refused = (struct refused){.why = why, .size = token.size};
	memcpy(refused->bytes, token.data, token.size);
	place = find_refused(cache, token);
	free(*place);
	*place = refused;
}

/* ---- Both ---- */

/* Judges a genuine token's claims by these settings, now. */
static enum token_verdict judge_genuine(struct token_cache *cache,
                                        const struct auth_settings *settings,
                                        struct text token,
                                        const struct moment *now,
                                        struct token_entry **entry,
                                        const char **why)
{
	struct token_entry *fresh = entry_new(cache, token);
	int64_t expires_s;
	enum token_verdict verdict =
		token_judge(token, settings, now->wall_ms / 1000,
	                    &fresh->identity, &expires_s, why);

	*entry = verdict == TOKEN_GOOD ? fresh : NULL;
	if (verdict == TOKEN_GOOD)
		fresh->expires = moment_of(1000 * expires_s, now);
	else
		free(fresh);
	return verdict;
}

/* An entry was good when it was added, so now it is good or expired. */
static bool recall_good(struct token_cache *cache, struct text token,
                        const struct moment *now, enum token_verdict *verdict,
                        struct token_entry **entry, const char **why)
{
	*entry = find_entry(cache, token);
	if (*entry == NULL)
		return false;
	*verdict = TOKEN_GOOD;
	if (!moment_has_come(&(*entry)->expires, now))
		return true;
	entry_release(*entry);
	*entry = NULL;
	*why = "the token has expired";
	*verdict = TOKEN_EXPIRED;
	return true;
}

/* The token was refused at first and has become valid since (nbf). */
static void keep_after_all(struct token_cache *cache,
                           const struct auth_settings *settings,
                           struct token_entry *entry)
{
	const struct text token = {entry->bytes, entry->size};
	const char *why;

	pthread_mutex_lock(&cache->lock);
	/* Keys replaced in between have emptied the cache: don't add it again. */
	if (settings == cache->settings && is_refused(cache, token, &why))
		keep(cache, entry);
	pthread_mutex_unlock(&cache->lock);
}

bool token_cache_recall(struct token_cache *cache,
                        const struct auth_settings *settings, struct text token,
                        const struct moment *now, enum token_verdict *verdict,
                        struct token_entry **entry, const char **why)
{
	bool is_known;

	*entry = NULL;
	*verdict = TOKEN_BAD;
	*why = "the token is too long";
	if (token.size > TOKEN_MAX)
		return true;
	pthread_mutex_lock(&cache->lock);
	is_known = recall_good(cache, token, now, verdict, entry, why);
	bool is_other = !is_known && is_refused(cache, token, why);
	pthread_mutex_unlock(&cache->lock);
	if (is_other && *why == NULL)
		*verdict = judge_genuine(cache, settings, token, now, entry, why);
	if (is_other && *verdict == TOKEN_GOOD)
		keep_after_all(cache, settings, *entry);
	return is_known || is_other;
}

void token_cache_prove(struct token_cache *cache, struct text token,
                       struct token_proof *proof)
{
	pthread_mutex_lock(&cache->lock);
	*proof = (struct token_proof){.token = token, .keys = cache->keys};
	proof->keys->refcount++;
	pthread_mutex_unlock(&cache->lock);
	proof->is_genuine =
		token_is_genuine(proof->keys->keyring, token, &proof->why);
}

bool token_cache_is_current(struct token_cache *cache,
                            const struct token_proof *proof)
{
	pthread_mutex_lock(&cache->lock);
	bool is_current = proof->keys == cache->keys;
	pthread_mutex_unlock(&cache->lock);
	return is_current;
}

void token_cache_drop(struct token_cache *cache, struct token_proof *proof)
{
	pthread_mutex_lock(&cache->lock);
	if (proof->keys != NULL)
		keys_release(proof->keys);
	proof->keys = NULL;
	pthread_mutex_unlock(&cache->lock);
}

enum token_verdict token_cache_admit(struct token_cache *cache,
                                     const struct auth_settings *settings,
                                     struct text token,
                                     struct token_proof *proof,
                                     const struct moment *now,
                                     struct token_entry **entry,
                                     const char **why)
{
	enum token_verdict verdict = TOKEN_BAD;

	assert(text_equal(token, proof->token));
	*entry = NULL;
	*why = proof->why;
	if (proof->is_genuine)
		verdict = judge_genuine(cache, settings, token, now, entry, why);
	pthread_mutex_lock(&cache->lock);
	if (proof->keys == cache->keys && settings == cache->settings) {
		if (verdict == TOKEN_GOOD)
			keep(cache, *entry);
		else
			keep_refused(cache, token,
			             proof->is_genuine ? NULL : proof->why);
	}
	pthread_mutex_unlock(&cache->lock);
	token_cache_drop(cache, proof);
	return verdict;
}

struct token_entry *token_cache_find(struct token_cache *cache, struct text token,
                                     const struct moment *now)
{
	pthread_mutex_lock(&cache->lock);
	struct token_entry *entry = find_entry(cache, token);

	if (entry != NULL && moment_has_come(&entry->expires, now)) {
		entry_release(entry);
		entry = NULL;
	}
	pthread_mutex_unlock(&cache->lock);
	return entry;
}

void token_cache_unref(struct token_entry *entry)
{
	struct token_cache *cache = entry->cache;

	pthread_mutex_lock(&cache->lock);
	entry_release(entry);
	pthread_mutex_unlock(&cache->lock);
}
