#include "writer/save_queue.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/memory.h"
#include "os/thread.h"

struct save_queue {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	/* Under the lock: */
	struct save *first, **last;
	bool ended;
};

struct save_queue *save_queue_new(void)
{
	struct save_queue *queue = memory_get(sizeof *queue);

	queue->last = &queue->first;
	pthread_mutex_init(&queue->lock, NULL);
	thread_condition_init(&queue->filled);
	return queue;
}

void save_queue_free(struct save_queue *queue)
{
	pthread_cond_destroy(&queue->filled);
	pthread_mutex_destroy(&queue->lock);
	free(queue);
}

void save_queue_put(struct save_queue *queue, struct save *first,
                    struct save *last)
{
	pthread_mutex_lock(&queue->lock);
	last->next = NULL;
	/* The consumer is awake as long as the queue is not empty. */
	if (queue->first == NULL)
		pthread_cond_signal(&queue->filled);
	*queue->last = first;
	queue->last = &last->next;
	pthread_mutex_unlock(&queue->lock);
}

static struct timespec time_after(int64_t ms)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	time.tv_sec += (time_t)(ms / 1000);
	time.tv_nsec += (long)(ms % 1000) * 1000000;
	if (time.tv_nsec >= 1000000000) {
		time.tv_nsec -= 1000000000;
		time.tv_sec++;
	}
	return time;
}

/* False: the time has passed. */
static bool wait(struct save_queue *queue, const struct timespec *until)
{
	if (until == NULL)
		return pthread_cond_wait(&queue->filled, &queue->lock) == 0;
	return pthread_cond_timedwait(&queue->filled, &queue->lock, until) == 0;
}

/* Cuts the chain that is taken off the queue. */
static struct save *cut_chain(struct save_queue *queue, size_t most)
{
	struct save *first = queue->first, *last = first;

	if (first == NULL)
		return NULL;
	while (--most > 0 && last->next != NULL)
		last = last->next;
	queue->first = last->next;
	if (queue->first == NULL)
		queue->last = &queue->first;
	last->next = NULL;
	return first;
}

struct save *save_queue_take(struct save_queue *queue, size_t most,
                             int64_t wait_ms, bool *ended)
{
	struct timespec until = time_after(wait_ms > 0 ? wait_ms : 0);
	struct save *first;

	pthread_mutex_lock(&queue->lock);
	while (queue->first == NULL && !queue->ended &&
	       wait(queue, wait_ms < 0 ? NULL : &until))
		;
	first = cut_chain(queue, most);
	*ended = first == NULL && queue->ended;
	pthread_mutex_unlock(&queue->lock);
	return first;
}

void save_queue_end(struct save_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	queue->ended = true;
	pthread_cond_signal(&queue->filled);
	pthread_mutex_unlock(&queue->lock);
}
