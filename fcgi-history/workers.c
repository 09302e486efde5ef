#include "workers.h"

#include <stdlib.h>

#include "base/memory.h"
#include "os/thread.h"
#include "worker.h"

enum { ANSWERED_AT_ONCE = 64 };

struct workers {
	struct inflight inflight;
	struct save_queue *saved;
	struct router router; /* the responder's */
	pthread_t responder;
	struct worker *each;
	size_t count;
};

static void *respond(void *argument)
{
	struct workers *workers = argument;
	bool ended = false;

	while (!ended) {
		struct save *save = save_queue_take(
			workers->saved, ANSWERED_AT_ONCE, -1, &ended);

		while (save != NULL) {
			struct request *request =
				LIST_OWNER(save, struct request, save);

			save = save->next;
			router_complete(&workers->router, request);
			inflight_answer(&workers->inflight, request);
		}
	}
	return NULL;
}

static bool init_each(struct workers *workers, const struct settings *settings,
                      struct buffer *error)
{
	size_t threads = (size_t)settings->history.threads;

	workers->each = memory_get(threads * sizeof *workers->each);
	while (workers->count < threads) {
		size_t number = workers->count++;

		if (!worker_init(&workers->each[number], number, settings,
		                 &workers->inflight, error))
			return false;
	}
	return true;
}

static bool workers_init(struct workers *workers,
                         const struct workers_plan *plan, struct buffer *error)
{
	struct inflight *inflight = &workers->inflight;

	inflight_init(inflight, plan->settings, plan->shared, plan->listener,
	              plan->writer, plan->request_limit);
	plan->shared->reads = inflight->reads;
	workers->saved = plan->saved;
	return router_init(&workers->router, &plan->settings->store, plan->shared,
	                   error) &&
	       init_each(workers, plan->settings, error) &&
	       inflight_start(inflight, plan->settings, error);
}

static void workers_free(struct workers *workers)
{
	for (size_t i = 0; i < workers->count; i++)
		worker_release(&workers->each[i]);
	router_release(&workers->router);
	inflight_release(&workers->inflight);
	free(workers->each);
	free(workers);
}

struct workers *workers_start(const struct workers_plan *plan,
                              struct buffer *error)
{
	struct workers *workers = memory_get(sizeof *workers);

	if (!workers_init(workers, plan, error)) {
		workers_free(workers);
		return NULL;
	}
	workers->responder = thread_start(respond, workers);
	for (size_t i = 0; i < workers->count; i++)
		worker_start(&workers->each[i]);
	return workers;
}

void workers_join(struct workers *workers)
{
	struct inflight *inflight = &workers->inflight;

	slow_peers_end_senders(inflight->slow_peers);
	concurrency_lift(supervisor_concurrency(inflight->supervisor));
	for (size_t i = 0; i < workers->count; i++)
		pthread_join(workers->each[i].thread, NULL);
	verifications_stop(inflight->verifications);
}

void workers_finish(struct workers *workers)
{
	save_queue_end(workers->saved);
	pthread_join(workers->responder, NULL);
	supervisor_finish(workers->inflight.supervisor);
	workers_free(workers);
}
