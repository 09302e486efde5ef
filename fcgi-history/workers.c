#include "workers.h"

#include <stdlib.h>
#include <unistd.h>

#include "memory.h"
#include "metrics.h"
#include "patience.h"
#include "thread.h"
#include "turns.h"

enum {
	FINISHED_AT_ONCE = 64,
	/* In workers.each: */
	FINISHER = 0,
	FIRST_WORKER = 1,
};

struct worker {
	size_t number; /* among those that accept */
	pthread_t thread;
	struct service service;
	struct workers *workers;
};

struct workers {
	struct listener *listener;
	struct turns *turns;
	struct patience *patience;
	struct requests *requests;
	struct save_queue *saved;
	struct worker *each;
	size_t count, room;
};

static void end(struct workers *workers, struct request *request)
{
	metrics_add(METRIC_HISTORY_REQUESTS, -1);
	requests_give_back(workers->requests, request);
}

/* Reads a request and answers it, unless it is to be saved first. */
static void serve(struct worker *worker, struct request *request, int connection)
{
	struct turns *turns = worker->workers->turns;
	struct patience *patience = worker->workers->patience;

	metrics_add(METRIC_HISTORY_REQUESTS, 1);
	metrics_add(METRIC_HISTORY_BUSY, 1);
	turns_begin_work(turns, worker->number);
	patience_begin(patience, worker->number, connection);
	bool is_request = gateway_accept(request->gateway, connection);
	if (!is_request || service_answer(&worker->service, request))
		end(worker->workers, request);
	if (!patience_end(patience, worker->number) && !is_request)
		metrics_add(METRIC_HISTORY_CUT_NO_REQUEST, 1);
	turns_end_work(turns, worker->number);
	metrics_add(METRIC_HISTORY_BUSY, -1);
}

static void *work(void *argument)
{
	struct worker *worker = argument;
	struct workers *workers = worker->workers;
	int place = listener_join(workers->listener);

	for (;;) {
		struct request *request = requests_take(workers->requests);
		turns_take(workers->turns, worker->number);
		int connection = listener_accept(workers->listener, place);

		if (connection < 0) {
			requests_give_back(workers->requests, request);
			break;
		}
		serve(worker, request, connection);
	}
	close(place);
	return NULL;
}

static void *finish(void *argument)
{
	struct worker *worker = argument;
	struct workers *workers = worker->workers;
	bool ended = false;

	while (!ended) {
		struct save *save = save_queue_take(
			workers->saved, FINISHED_AT_ONCE, -1, &ended);

		while (save != NULL) {
			struct request *request = save->context;

			save = save->next;
			service_finish(&worker->service, request);
			end(workers, request);
		}
	}
	return NULL;
}

static bool init_services(struct workers *workers,
                          const struct settings *settings,
                          const struct service_shared *shared,
                          struct buffer *error)
{
	for (; workers->count < workers->room; workers->count++) {
		struct worker *worker = &workers->each[workers->count];

		worker->workers = workers;
		worker->number = workers->count - FIRST_WORKER;
		if (!service_init(&worker->service, settings, shared, error))
			return false;
	}
	return true;
}

static void release(struct workers *workers)
{
	for (size_t i = 0; i < workers->count; i++)
		service_release(&workers->each[i].service);
	requests_free(workers->requests);
	free(workers->each);
	free(workers);
}

/* One processor is left to the web server, which is at work whenever we are. */
static size_t turns_at_once(void)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	return processors > 2 ? (size_t)processors - 1 : 1;
}

struct workers *workers_start(const struct settings *settings,
                              const struct service_shared *shared,
                              struct listener *listener,
                              struct save_queue *saved, size_t request_limit,
                              struct buffer *error)
{
	struct workers *workers = memory_get(sizeof *workers);

	workers->listener = listener;
	workers->saved = saved;
	workers->requests = requests_new(request_limit);
	workers->room = FIRST_WORKER + (size_t)settings->history_threads;
	workers->each = memory_get(workers->room * sizeof *workers->each);
	if (!init_services(workers, settings, shared, error)) {
		release(workers);
		return NULL;
	}
	workers->turns = turns_new(turns_at_once(), workers->room - FIRST_WORKER);
	workers->patience = patience_new(workers->room - FIRST_WORKER,
	                                 settings->history_request_timeout);
	for (size_t i = 0; i < workers->count; i++)
		workers->each[i].thread = thread_start(
			i == FINISHER ? finish : work, &workers->each[i]);
	return workers;
}

void workers_join(struct workers *workers)
{
	turns_end(workers->turns);
	for (size_t i = FIRST_WORKER; i < workers->count; i++)
		pthread_join(workers->each[i].thread, NULL);
	turns_free(workers->turns);
	patience_free(workers->patience);
}

void workers_finish(struct workers *workers)
{
	save_queue_end(workers->saved);
	pthread_join(workers->each[FINISHER].thread, NULL);
	release(workers);
}
