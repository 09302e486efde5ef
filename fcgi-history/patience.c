#include "patience.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "journal.h"
#include "memory.h"
#include "metrics.h"
#include "thread.h"

enum {
	CHECK_MS = 500,
	QUIET_MS = 10000, /* between complaints about the same */
};

struct watched {
	pthread_mutex_t lock;
	/* Under the lock: */
	int connection; /* a descriptor of our own, as the worker's may be closed,
	                 * and its number be that of another connection, at any
	                 * time; -1: none */
	int64_t due_ms; /* monotonic */
	bool was_cut;
};

struct patience {
	pthread_t thread;
	int64_t limit_ms;
	int64_t quiet_until_ms; /* the thread's */
	struct watched *each;
	size_t count;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	bool ending; /* under the lock */
};

static void tell(struct patience *patience, int64_t now_ms)
{
	metrics_add(METRIC_HISTORY_CUT_SLOW, 1);
	if (now_ms < patience->quiet_until_ms)
		return;
	journal_warning("history.request_timeout: cutting off who takes longer");
	patience->quiet_until_ms = now_ms + QUIET_MS;
}

static void cut_overdue(struct patience *patience)
{
	int64_t now_ms = clock_monotonic_ms();

	for (size_t i = 0; i < patience->count; i++) {
		struct watched *watched = &patience->each[i];

		pthread_mutex_lock(&watched->lock);
		bool is_overdue = watched->connection >= 0 &&
		                  !watched->was_cut && watched->due_ms <= now_ms;
		if (is_overdue) {
			shutdown(watched->connection, SHUT_RDWR);
			watched->was_cut = true;
		}
		pthread_mutex_unlock(&watched->lock);
		if (is_overdue)
			tell(patience, now_ms);
	}
}

static struct timespec next_check(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	time.tv_nsec += CHECK_MS * 1000000L;
	time.tv_sec += time.tv_nsec / 1000000000L;
	time.tv_nsec %= 1000000000L;
	return time;
}

static void *watch(void *argument)
{
	struct patience *patience = argument;

	pthread_mutex_lock(&patience->lock);
	while (!patience->ending) {
		struct timespec until = next_check();

		cut_overdue(patience);
		pthread_cond_timedwait(&patience->ended, &patience->lock, &until);
	}
	pthread_mutex_unlock(&patience->lock);
	return NULL;
}

struct patience *patience_new(size_t workers, int64_t limit_ms)
{
	struct patience *patience = memory_get(sizeof *patience);

	patience->limit_ms = limit_ms;
	patience->count = workers;
	patience->each = memory_get(workers * sizeof *patience->each);
	for (size_t i = 0; i < workers; i++) {
		patience->each[i].connection = -1;
		pthread_mutex_init(&patience->each[i].lock, NULL);
	}
	pthread_mutex_init(&patience->lock, NULL);
	thread_condition_init(&patience->ended);
	patience->thread = thread_start(watch, patience);
	return patience;
}

void patience_free(struct patience *patience)
{
	pthread_mutex_lock(&patience->lock);
	patience->ending = true;
	pthread_cond_signal(&patience->ended);
	pthread_mutex_unlock(&patience->lock);
	pthread_join(patience->thread, NULL);
	pthread_cond_destroy(&patience->ended);
	pthread_mutex_destroy(&patience->lock);
	for (size_t i = 0; i < patience->count; i++)
		pthread_mutex_destroy(&patience->each[i].lock);
	free(patience->each);
	free(patience);
}

void patience_begin(struct patience *patience, size_t worker, int connection)
{
	struct watched *watched = &patience->each[worker];
	/* Each worker has one to spare (main.c). */
	int own = fcntl(connection, F_DUPFD_CLOEXEC, 0);

	pthread_mutex_lock(&watched->lock);
	watched->connection = own;
	watched->due_ms = clock_monotonic_ms() + patience->limit_ms;
	watched->was_cut = false;
	pthread_mutex_unlock(&watched->lock);
}

bool patience_end(struct patience *patience, size_t worker)
{
	struct watched *watched = &patience->each[worker];

	pthread_mutex_lock(&watched->lock);
	int own = watched->connection;
	bool was_cut = watched->was_cut;
	watched->connection = -1;
	pthread_mutex_unlock(&watched->lock);
	if (own >= 0)
		close(own);
	return was_cut;
}
