#include "writer.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>

#include "memory.h"
#include "metrics.h"
#include "thread.h"

enum {
	BATCH_MAX = 1024,  /* messages a commit */
	CHECK_SECONDS = 1, /* how often an idle writer looks after the database */
};

struct waiting {
	struct save *save; /* NULL: a probe */
	bool good;         /* the probe's outcome */
	sem_t done;
	struct waiting *next;
};

struct writer {
	struct saver *saver;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t filled;
	/* Under the lock: */
	struct waiting *first, **last;
	bool stopping;
};

static struct timespec check_time(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	time.tv_sec += CHECK_SECONDS;
	return time;
}

/* Takes up to BATCH_MAX, in order. None: the time for a check has come, or the
 * end. */
static size_t take_batch(struct writer *writer, struct waiting **batch,
                         bool *stopping)
{
	struct timespec until = check_time();
	size_t count = 0;

	pthread_mutex_lock(&writer->lock);
	while (writer->first == NULL && !writer->stopping &&
	       pthread_cond_timedwait(&writer->filled, &writer->lock, &until) == 0)
		;
	while (writer->first != NULL && count < BATCH_MAX) {
		batch[count++] = writer->first;
		writer->first = writer->first->next;
	}
	if (writer->first == NULL)
		writer->last = &writer->first;
	*stopping = writer->stopping;
	pthread_mutex_unlock(&writer->lock);
	metrics_add(METRIC_HISTORY_QUEUED, -(int64_t)count);
	return count;
}

static void save_batch(struct writer *writer, struct waiting **batch, size_t count)
{
	struct save *saves[BATCH_MAX];
	size_t saves_count = 0;

	for (size_t i = 0; i < count; i++)
		if (batch[i]->save != NULL)
			saves[saves_count++] = batch[i]->save;
	if (saves_count > 0)
		saver_save(writer->saver, saves, saves_count);
	bool good = saves_count < count && saver_probe(writer->saver);
	for (size_t i = 0; i < count; i++) {
		batch[i]->good = good;
		sem_post(&batch[i]->done);
	}
}

static void *write_until_stopped(void *argument)
{
	struct writer *writer = argument;
	struct waiting *batch[BATCH_MAX];
	bool stopping = false;

	for (;;) {
		size_t count = take_batch(writer, batch, &stopping);

		if (count > 0)
			save_batch(writer, batch, count);
		else if (stopping)
			return NULL;
		else
			saver_check(writer->saver);
	}
}

struct writer *writer_start(struct saver *saver)
{
	struct writer *writer = memory_get(sizeof *writer);

	writer->saver = saver;
	writer->last = &writer->first;
	pthread_mutex_init(&writer->lock, NULL);
	thread_condition_init(&writer->filled);
	writer->thread = thread_start(write_until_stopped, writer);
	return writer;
}

void writer_stop(struct writer *writer)
{
	pthread_mutex_lock(&writer->lock);
	writer->stopping = true;
	pthread_cond_signal(&writer->filled);
	pthread_mutex_unlock(&writer->lock);
	pthread_join(writer->thread, NULL);
	pthread_cond_destroy(&writer->filled);
	pthread_mutex_destroy(&writer->lock);
	saver_free(writer->saver);
	free(writer);
}

static void wait_in_queue(struct writer *writer, struct waiting *waiting)
{
	metrics_add(METRIC_HISTORY_QUEUED, 1);
	sem_init(&waiting->done, 0, 0);
	pthread_mutex_lock(&writer->lock);
	*writer->last = waiting;
	writer->last = &waiting->next;
	pthread_cond_signal(&writer->filled);
	pthread_mutex_unlock(&writer->lock);
	while (sem_wait(&waiting->done) != 0)
		; /* interrupted by a signal */
	sem_destroy(&waiting->done);
}

void writer_save(struct writer *writer, struct save *save)
{
	struct waiting waiting = {.save = save};

	wait_in_queue(writer, &waiting);
}

bool writer_probe(struct writer *writer)
{
	struct waiting waiting = {.save = NULL};

	wait_in_queue(writer, &waiting);
	return waiting.good;
}
