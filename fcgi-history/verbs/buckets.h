/* Token buckets by name: rate limits with a burst.
 *
 * There are at most BUCKETS_MAX buckets, however many names there are. A new name
 * has a few possible places, and replaces the fullest bucket among them. Dropping a
 * full bucket changes nothing, so limits are exact unless many more names than there
 * are buckets are busy at the same time. */
#ifndef LONGROOM_BUCKETS_H
#define LONGROOM_BUCKETS_H

#include <stdint.h>

#include "base/text.h"

enum {
	BUCKETS_WAYS = 8,
	BUCKETS_SETS = 2048,
	BUCKETS_MAX = BUCKETS_WAYS * BUCKETS_SETS,
	BUCKET_NAME_MAX = 128,
};

struct bucket_rule {
	int64_t rate;  /* tokens a second; 0: no limit */
	int64_t burst; /* tokens, at least 1 */
};

struct bucket_state {
	bool has_one;      /* there is a token; always true without a limit */
	int64_t remaining; /* tokens left */
	int64_t wait_us;   /* until the next token; 0 if there is one */
	int64_t full_us;   /* until the bucket is full */
};

struct buckets;
struct bucket;

struct buckets *buckets_new(void);
void buckets_free(struct buckets *buckets);

/* Returns the bucket of a name of at most BUCKET_NAME_MAX bytes, valid until the
 * next call. now_us is monotonic. */
struct bucket *buckets_find(struct buckets *buckets, struct text name,
                            int64_t now_us);
/* The rule may differ from the last one. */
struct bucket_state bucket_look(struct bucket *bucket, struct bucket_rule rule,
                                int64_t now_us);
/* Takes a token; there must be one. */
void bucket_take(struct bucket *bucket, struct bucket_rule rule, int64_t now_us);

#endif
