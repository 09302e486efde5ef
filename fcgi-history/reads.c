#include "reads.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/memory.h"
#include "metrics/metrics.h"

struct reads {
	pthread_mutex_t lock;
	/* Under the lock: */
	struct list queue;
	size_t queued, queue_limit;
	size_t answered, at_once;
	struct users users;
};

struct reads *reads_new(size_t threads, size_t queue_limit)
{
	struct reads *reads = memory_get(sizeof *reads);

	reads->queue_limit = queue_limit;
	reads->at_once = threads > 1 ? threads - 1 : 1;
	list_init(&reads->queue);
	users_init(&reads->users);
	pthread_mutex_init(&reads->lock, NULL);
	return reads;
}

void reads_free(struct reads *reads)
{
	users_release(&reads->users);
	pthread_mutex_destroy(&reads->lock);
	free(reads);
}

/* Under the lock. Reads of unauthenticated users are not counted; with auth.mode =
 * open these are all reads. */
static bool is_within_limit(struct reads *reads, int64_t limit,
                            struct request *request)
{
	struct user *user;

	if (!request->sender.is_known || limit == 0)
		return true;
	user = users_ref(&reads->users, buffer_text(&request->sender.id));
	if (user->refcount > (size_t)limit) {
		users_unref(&reads->users, user);
		return false;
	}
	request->user = user;
	return true;
}

bool reads_admit(struct reads *reads, int64_t user_limit,
                 struct request *request)
{
	pthread_mutex_lock(&reads->lock);
	bool has_room = reads->queued < reads->queue_limit;
	bool good = has_room && is_within_limit(reads, user_limit, request);
	pthread_mutex_unlock(&reads->lock);
	if (!has_room) {
		request_refuse(request, PROBLEM_OVERLOADED,
		               "too many reads are queued: repeat after "
		               "Retry-After");
	} else if (!good) {
		buffer_add_string(&request->exchange.response.headers,
		                  "Retry-After: 1\r\n");
		request_refuse(request, PROBLEM_RATE_LIMITED,
		               "too many concurrent reads (limits.user_reads): wait "
		               "for the pending answers");
	}
	return good;
}

void reads_leave(struct reads *reads, struct request *request)
{
	if (request->user == NULL)
		return;
	pthread_mutex_lock(&reads->lock);
	users_unref(&reads->users, request->user);
	pthread_mutex_unlock(&reads->lock);
	request->user = NULL;
}

void reads_put(struct reads *reads, struct request *request)
{
	pthread_mutex_lock(&reads->lock);
	list_append(&reads->queue, &request->exchange.link);
	reads->queued++;
	pthread_mutex_unlock(&reads->lock);
	metrics_add(METRIC_HISTORY_READS_WAITING, 1);
}

static bool has_next(const struct reads *reads)
{
	return reads->queued > 0 && reads->answered < reads->at_once;
}

struct request *reads_take(struct reads *reads)
{
	struct request *request = NULL;

	pthread_mutex_lock(&reads->lock);
	if (has_next(reads)) {
		request = LIST_OWNER(reads->queue.next, struct request, exchange.link);
		list_remove(&request->exchange.link);
		reads->queued--;
		reads->answered++;
	}
	pthread_mutex_unlock(&reads->lock);
	if (request != NULL)
		metrics_add(METRIC_HISTORY_READS_WAITING, -1);
	return request;
}

void reads_done(struct reads *reads)
{
	pthread_mutex_lock(&reads->lock);
	reads->answered--;
	pthread_mutex_unlock(&reads->lock);
}

bool reads_has_next(struct reads *reads)
{
	pthread_mutex_lock(&reads->lock);
	bool next = has_next(reads);
	pthread_mutex_unlock(&reads->lock);
	return next;
}

bool reads_is_idle(struct reads *reads)
{
	pthread_mutex_lock(&reads->lock);
	bool idle = reads->queued == 0 && reads->answered == 0;
	pthread_mutex_unlock(&reads->lock);
	return idle;
}
