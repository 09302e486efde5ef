#include "workers.h"

#include <stdlib.h>

#include "memory.h"
#include "metrics.h"
#include "thread.h"

struct worker {
	pthread_t thread;
	struct service service;
	struct connections *connections;
};

struct workers {
	struct worker *each;
	size_t count;
};

static void *work(void *argument)
{
	struct worker *worker = argument;
	struct gateway *gateway = worker->service.gateway;
	int connection;

	while ((connection = connections_take(worker->connections)) >= 0) {
		metrics_add(METRIC_HISTORY_BUSY, 1);
		if (gateway_accept(gateway, connection)) {
			service_answer(&worker->service);
			gateway_finish(gateway);
		}
		metrics_add(METRIC_HISTORY_BUSY, -1);
	}
	return NULL;
}

struct workers *workers_start(const struct settings *settings,
                              struct live_settings *live, struct writer *writer,
                              struct connections *connections,
                              struct buffer *error)
{
	struct workers *workers = memory_get(sizeof *workers);
	size_t count = (size_t)settings->history_threads;

	workers->each = memory_get(count * sizeof *workers->each);
	for (; workers->count < count; workers->count++) {
		struct worker *worker = &workers->each[workers->count];

		worker->connections = connections;
		if (!service_init(&worker->service, settings, live, writer,
		                  error)) {
			connections_end(connections);
			workers_join(workers);
			return NULL;
		}
		worker->thread = thread_start(work, worker);
	}
	return workers;
}

void workers_join(struct workers *workers)
{
	for (size_t i = 0; i < workers->count; i++) {
		pthread_join(workers->each[i].thread, NULL);
		service_release(&workers->each[i].service);
	}
	free(workers->each);
	free(workers);
}
