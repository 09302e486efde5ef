/* The clock of all deadlines and latencies: monotonic, in nanoseconds. */
#ifndef LONGROOM_LOAD_CLOCK_H
#define LONGROOM_LOAD_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

static inline int64_t load_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static inline double load_seconds(int64_t ns)
{
	return (double)ns / (double)NS_PER_S;
}

#endif
