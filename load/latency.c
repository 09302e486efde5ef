#include "latency.h"

static unsigned bucket_of(uint64_t value)
{
	if (value < LATENCY_FINE)
		return (unsigned)value;

	unsigned doublings = 63u - (unsigned)__builtin_clzll(value) -
	                     LATENCY_FINE_BITS;

	return doublings * LATENCY_FINE + (unsigned)(value >> doublings);
}

static int64_t highest_in(unsigned bucket)
{
	if (bucket < 2 * LATENCY_FINE)
		return bucket;

	unsigned doublings = bucket / LATENCY_FINE - 1;
	uint64_t lowest = (uint64_t)(bucket - doublings * LATENCY_FINE)
	                  << doublings;

	return (int64_t)(lowest + ((UINT64_C(1) << doublings) - 1));
}

void latency_record(struct latency *latency, int64_t ns)
{
	if (ns < 0)
		ns = 0;
	latency->count++;
	if (ns > latency->max_ns)
		latency->max_ns = ns;
	latency->buckets[bucket_of((uint64_t)ns)]++;
}

int64_t latency_quantile(const struct latency *latency, double share)
{
	uint64_t wanted = (uint64_t)(share * (double)latency->count + 0.999999);
	uint64_t seen = 0;

	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		seen += latency->buckets[i];
		if (seen == 0 || seen < wanted)
			continue;
		int64_t value = highest_in(i);
		return value < latency->max_ns ? value : latency->max_ns;
	}
	return latency->max_ns;
}
