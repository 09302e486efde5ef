/* How long things took: a histogram with buckets no wider than 1 % of their
 * value, so that recording costs an increment and any number of values fits. */
#ifndef LONGROOM_LOAD_LATENCY_H
#define LONGROOM_LOAD_LATENCY_H

#include <stdint.h>

/* Values below LATENCY_FINE have a bucket each; above, every doubling has
 * LATENCY_FINE buckets. */
enum {
	LATENCY_FINE_BITS = 7,
	LATENCY_FINE = 1 << LATENCY_FINE_BITS,
	LATENCY_BUCKETS = (64 - LATENCY_FINE_BITS) * LATENCY_FINE,
};

struct latency {
	uint64_t count;
	int64_t max_ns;
	uint64_t buckets[LATENCY_BUCKETS];
};

/* Below 0 counts as 0. */
void latency_record(struct latency *latency, int64_t ns);

/* The value, within 1 %, that `share` (0 to 1) of all values do not exceed;
 * 0 if there are none. */
int64_t latency_quantile(const struct latency *latency, double share);

#endif
