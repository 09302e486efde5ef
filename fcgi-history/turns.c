#include "turns.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "metrics/metrics.h"
#include "os/thread.h"

enum {
	TURN_US = TURN_MS * 1000,
	TURN_NS = TURN_US * 1000,
};

/* Whether a thread has a turn, and for how long it has worked. */
enum {
	NO_TURN = -1,
	RESTS = 0,
	/* Above that: works since then, in monotonic microseconds. */
};

struct turns {
	sem_t free;
	size_t threads;
	_Atomic int64_t *states;
	pthread_t watcher;
	sem_t watch;         /* to wake the watcher */
	atomic_bool watches; /* it is awake */
	atomic_bool ended;
};

static void wait_for(sem_t *semaphore)
{
	while (sem_wait(semaphore) != 0)
		; /* interrupted by a signal */
}

/* Takes their turns from those that have been at work for too long. False: nobody
 * is at work. */
static bool take_turns_away(struct turns *turns)
{
	int64_t now_us = clock_monotonic_us();
	bool anybody = false;

	for (size_t i = 0; i < turns->threads; i++) {
		int64_t state = atomic_load(&turns->states[i]);

		anybody = anybody || state > RESTS;
		if (state <= RESTS || now_us - state < TURN_US)
			continue;
		if (!atomic_compare_exchange_strong(&turns->states[i], &state,
		                                    NO_TURN))
			continue;
		metrics_add(METRIC_HISTORY_SLOW, 1);
		sem_post(&turns->free);
	}
	return anybody;
}

static bool is_anybody_at_work(struct turns *turns)
{
	for (size_t i = 0; i < turns->threads; i++)
		if (atomic_load(&turns->states[i]) > RESTS)
			return true;
	return false;
}

static void wake_watcher(struct turns *turns)
{
	if (!atomic_load(&turns->watches) &&
	    !atomic_exchange(&turns->watches, true))
		sem_post(&turns->watch);
}

static void *watch(void *argument)
{
	static const struct timespec turn = {0, TURN_NS};
	struct turns *turns = argument;

	while (!atomic_load(&turns->ended)) {
		wait_for(&turns->watch);
		do
			nanosleep(&turn, NULL);
		while (take_turns_away(turns));
		atomic_store(&turns->watches, false);
		/* Who has begun in between took us for awake. */
		if (is_anybody_at_work(turns))
			wake_watcher(turns);
	}
	return NULL;
}

struct turns *turns_new(size_t at_once, size_t threads)
{
	struct turns *turns = memory_get(sizeof *turns);

	turns->threads = threads;
	turns->states = memory_get(threads * sizeof *turns->states);
	for (size_t i = 0; i < threads; i++)
		turns->states[i] = NO_TURN;
	sem_init(&turns->free, 0, (unsigned)at_once);
	sem_init(&turns->watch, 0, 0);
	turns->watcher = thread_start(watch, turns);
	return turns;
}

void turns_free(struct turns *turns)
{
	pthread_join(turns->watcher, NULL);
	sem_destroy(&turns->free);
	sem_destroy(&turns->watch);
	free((void *)turns->states);
	free(turns);
}

void turns_take(struct turns *turns, size_t thread)
{
	if (atomic_load(&turns->states[thread]) != NO_TURN)
		return;
	wait_for(&turns->free);
	atomic_store(&turns->states[thread], RESTS);
}

void turns_begin_work(struct turns *turns, size_t thread)
{
	atomic_store(&turns->states[thread], clock_monotonic_us());
	wake_watcher(turns);
}

bool turns_end_work(struct turns *turns, size_t thread)
{
	int64_t state = atomic_load(&turns->states[thread]);

	return state != NO_TURN &&
	       atomic_compare_exchange_strong(&turns->states[thread], &state,
	                                      RESTS);
}

void turns_end(struct turns *turns)
{
	atomic_store(&turns->ended, true);
	sem_post(&turns->watch);
	for (size_t i = 0; i < turns->threads; i++)
		sem_post(&turns->free);
}
