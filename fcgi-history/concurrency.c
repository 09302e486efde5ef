#include "concurrency.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "metrics/metrics.h"

enum { WATCHDOG_US = CONCURRENCY_WATCHDOG_MS * 1000 };

/* The state of a worker: whether it has a permit, and since when it has worked. */
enum {
	NO_PERMIT = -1,
	RESTS = 0,
	/* Above that: works since then, in monotonic microseconds. */
};

struct concurrency {
	sem_t permits;
	size_t workers;
	_Atomic int64_t *states;
	int wake;
	atomic_bool is_watched; /* the watchdog is awake, or was just woken */
	int64_t look_us; /* the watchdog's: it stays awake until then; 0: asleep */
};

struct concurrency *concurrency_new(size_t limit, size_t workers, int wake)
{
	struct concurrency *c = memory_get(sizeof *c);

	c->workers = workers;
	c->wake = wake;
	c->states = memory_get(workers * sizeof *c->states);
	for (size_t i = 0; i < workers; i++)
		c->states[i] = NO_PERMIT;
	sem_init(&c->permits, 0, (unsigned)limit);
	return c;
}

void concurrency_free(struct concurrency *c)
{
	if (c == NULL)
		return;
	sem_destroy(&c->permits);
	free((void *)c->states);
	free(c);
}

void concurrency_acquire(struct concurrency *c, size_t worker)
{
	if (atomic_load(&c->states[worker]) != NO_PERMIT)
		return;
	while (sem_wait(&c->permits) != 0)
		; /* interrupted by a signal */
	atomic_store(&c->states[worker], RESTS);
}

void concurrency_begin_work(struct concurrency *c, size_t worker)
{
	atomic_store(&c->states[worker], clock_monotonic_us());
	if (!atomic_load(&c->is_watched) &&
	    !atomic_exchange(&c->is_watched, true))
		eventfd_write(c->wake, 1);
}

bool concurrency_end_work(struct concurrency *c, size_t worker)
{
	int64_t state = atomic_load(&c->states[worker]);

	return state != NO_PERMIT &&
	       atomic_compare_exchange_strong(&c->states[worker], &state, RESTS);
}

/* False: no worker is at work. */
static bool take_permits_away(struct concurrency *c, int64_t now_us)
{
	bool anybody = false;

	for (size_t i = 0; i < c->workers; i++) {
		int64_t state = atomic_load(&c->states[i]);

		anybody = anybody || state > RESTS;
		if (state <= RESTS || now_us - state < WATCHDOG_US)
			continue;
		if (!atomic_compare_exchange_strong(&c->states[i], &state,
		                                    NO_PERMIT))
			continue;
		metrics_add(METRIC_HISTORY_SLOW, 1);
		sem_post(&c->permits);
	}
	return anybody;
}

static bool is_anybody_at_work(struct concurrency *c)
{
	for (size_t i = 0; i < c->workers; i++)
		if (atomic_load(&c->states[i]) > RESTS)
			return true;
	return false;
}

/* No worker is at work, so the watchdog may sleep: the next worker that begins wakes
 * it. False: a worker has begun in between and took the watchdog for awake. */
static bool may_sleep(struct concurrency *c)
{
	atomic_store(&c->is_watched, false);
	return !is_anybody_at_work(c) || atomic_exchange(&c->is_watched, true);
}

/* Once woken, the watchdog stays awake for at least the time of a permit: waking it
 * for each request would cost more than looking. */
int concurrency_watch(struct concurrency *c, int64_t now_us)
{
	if (!atomic_load(&c->is_watched))
		return -1;
	if (c->look_us == 0)
		c->look_us = now_us + WATCHDOG_US;
	bool anybody = take_permits_away(c, now_us);
	if (now_us < c->look_us)
		return (int)((c->look_us - now_us + 999) / 1000);
	c->look_us = 0;
	if (!anybody && may_sleep(c))
		return -1;
	c->look_us = now_us + WATCHDOG_US;
	return CONCURRENCY_WATCHDOG_MS;
}

void concurrency_lift(struct concurrency *c)
{
	for (size_t i = 0; i < c->workers; i++)
		sem_post(&c->permits);
}
