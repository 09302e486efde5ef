/* Token buckets by name: how often something may be done, with a burst.
 *
 * There are BUCKETS_MAX at the most, whatever names come: a new name takes the
 * place of the bucket, of the few that it may take, that is fullest. One that is
 * full is as good as none, so nothing is lost until many more names are busy at
 * the same time than there are buckets. */
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
	int64_t rate;  /* a second; 0: there is no limit */
	int64_t burst; /* from 1 */
};

struct bucket_state {
	bool has_one;      /* something to take; always, without a limit */
	int64_t remaining; /* how many more */
	int64_t wait_us;   /* until there is one; 0 if there is */
	int64_t full_us;   /* until there are as many as there can be */
};

struct buckets;
struct bucket;

struct buckets *buckets_new(void);
void buckets_free(struct buckets *buckets);

/* The bucket of a name of at most BUCKET_NAME_MAX bytes; good until the next
 * call. now_us is monotonic. */
struct bucket *buckets_find(struct buckets *buckets, struct text name,
                            int64_t now_us);
/* The rule may be another than the last time. */
struct bucket_state bucket_look(struct bucket *bucket, struct bucket_rule rule,
                                int64_t now_us);
/* Takes one; there must be one. */
void bucket_take(struct bucket *bucket, struct bucket_rule rule, int64_t now_us);

#endif
