#include "verbs/buckets.h"

#include <assert.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/memory.h"

enum { SECOND_US = 1000000 };

struct bucket {
	int64_t full_at_us; /* when it will be full again, if nothing is taken */
	unsigned char size; /* 0: unused */
	char name[BUCKET_NAME_MAX];
};

struct buckets {
	uint64_t seed;
	struct bucket sets[BUCKETS_SETS][BUCKETS_WAYS];
};

struct buckets *buckets_new(void)
{
	struct buckets *buckets = memory_get(sizeof *buckets);

	buckets->seed = hash_seed();
	return buckets;
}

void buckets_free(struct buckets *buckets)
{
	free(buckets);
}

struct bucket *buckets_find(struct buckets *buckets, struct text name,
                            int64_t now_us)
{
	size_t place = hash_place(buckets->seed, name, BUCKETS_SETS);
	struct bucket *set = buckets->sets[place];
	struct bucket *fullest = &set[0];

	assert(name.size >= 1 && name.size <= BUCKET_NAME_MAX);
	for (size_t i = 0; i < BUCKETS_WAYS; i++) {
		struct text other = {set[i].name, set[i].size};

		if (text_equal(name, other))
			return &set[i];
		if (set[i].full_at_us < fullest->full_at_us)
			fullest = &set[i];
	}
	fullest->full_at_us = now_us;
	fullest->size = (unsigned char)name.size;
	memcpy(fullest->name, name.data, name.size);
	return fullest;
}

/* A bucket's level is kept as a time (GCRA): each token taken postpones the moment
 * when the bucket will be full by 1/rate. After SIGHUP a bucket may be emptier than
 * the new rule allows. */
static int64_t time_to_full(struct bucket *bucket, struct bucket_rule rule,
                            int64_t now_us)
{
	int64_t latest_us = now_us + rule.burst * (SECOND_US / rule.rate);

	if (bucket->full_at_us > latest_us)
		bucket->full_at_us = latest_us;
	return bucket->full_at_us > now_us ? bucket->full_at_us - now_us : 0;
}

struct bucket_state bucket_look(struct bucket *bucket, struct bucket_rule rule,
                                int64_t now_us)
{
	struct bucket_state state = {.has_one = true};

	if (rule.rate == 0)
		return state;
	int64_t each_us = SECOND_US / rule.rate;
	state.full_us = time_to_full(bucket, rule, now_us);
	int64_t room_us = rule.burst * each_us - state.full_us;
	state.has_one = room_us >= each_us;
	state.remaining = state.has_one ? room_us / each_us : 0;
	state.wait_us = state.has_one ? 0 : each_us - room_us;
	return state;
}

void bucket_take(struct bucket *bucket, struct bucket_rule rule, int64_t now_us)
{
	if (rule.rate == 0)
		return;
	bucket->full_at_us = now_us + time_to_full(bucket, rule, now_us) +
	                     SECOND_US / rule.rate;
}
