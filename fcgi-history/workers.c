#include "workers.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "gateway/intake.h"
#include "metrics/metrics.h"
#include "os/thread.h"
#include "gateway/slow_peers.h"
#include "turns.h"

enum {
	FINISHED_AT_ONCE = 64,
	KEPT_BYTES = 64 * 1024, /* of a request's memory, for the next one */
	/* Requests that are begun for each read, if one waits. */
	BEGUN_A_READ = 16,
	/* A web server sends at once, but after it has connected: so long is one
	 * waited for before the thread that waits for slow ones gets it, if it has
	 * none and that was not in vain within the last second. */
	FIRST_WAIT_MS = 1,
	IN_VAIN_MS = 1000,
	/* Of all requests, at most so many may be unfinished, as many unread, as
	 * many queue to read: the fourth part is left for POSTs. */
	PARTS = 4,
	/* In workers.each: */
	FINISHER = 0,
	FIRST_WORKER = 1,
};

struct worker {
	size_t number; /* among those that accept */
	pthread_t thread;
	struct router router;
	struct workers *workers;
	int place; /* where it waits; -1: it does not accept */
	int feed;  /* gateway.h */
	struct request *spare; /* for the next connection, or NULL */
	struct buffer input;   /* memory for what comes on it */
	int begun;             /* since it answered a read */
	int64_t wait_ms; /* from when on it waits for the first of a request */
};

struct workers {
	struct live_settings *live;
	struct listener *listener;
	struct turns *turns;
	struct slow_peers *slow_peers;
	struct reads *reads;
	struct requests *requests;
	struct request_queue *whole; /* by slow_peers */
	struct verifications *verifications;
	struct request_queue *verified;
	atomic_size_t verifying; /* until they are there */
	struct writer *writer;
	struct save_queue *saved;
	struct worker *each;
	size_t count, room;
};

static void end(struct workers *workers, struct request *request)
{
	reads_leave(workers->reads, request);
	/* What was much is not kept for long. */
	response_clear(&request->exchange.response);
	metrics_add(METRIC_HISTORY_REQUESTS, -1);
	requests_put_back(workers->requests, request);
}

/* Sends an answer, or as much as there is room for. */
static void answer(struct workers *workers, struct request *request)
{
	if (!response_send(&request->exchange.response, request->exchange.gateway)) {
		slow_peers_await_reader(workers->slow_peers,
		                        &request->exchange);
		return;
	}
	gateway_finish(request->exchange.gateway);
	end(workers, request);
}

static void begin_work(struct worker *worker)
{
	metrics_add(METRIC_HISTORY_BUSY, 1);
	turns_begin_work(worker->workers->turns, worker->number);
}

/* One that has lost its turn does not go on to what it has left to be done: a
 * read, or what may follow one. */
static void end_work(struct worker *worker)
{
	struct workers *workers = worker->workers;

	if (!turns_end_work(workers->turns, worker->number))
		listener_wake(workers->listener);
	metrics_add(METRIC_HISTORY_BUSY, -1);
}

/* The request takes its feed along, and is another thread's from then on. */
static void verify(struct worker *worker, struct request *request)
{
	struct workers *workers = worker->workers;

	gateway_keep_feed(request->exchange.gateway, &worker->feed);
	atomic_fetch_add(&workers->verifying, 1);
	if (verifications_put(workers->verifications, &request->verification))
		return;
	atomic_fetch_sub(&workers->verifying, 1);
	router_refuse_unverified(request);
	answer(workers, request);
}

static void begin(struct worker *worker, struct request *request)
{
	struct workers *workers = worker->workers;

	switch (router_begin(&worker->router, request)) {
	case ROUTER_ANSWERED:
		answer(workers, request);
		break;
	case ROUTER_VERIFIES:
		verify(worker, request);
		break;
	case ROUTER_READS:
		reads_put(workers->reads, request);
		break;
	case ROUTER_SAVES:
		/* From here on it is no longer ours. */
		writer_put(workers->writer, &request->save);
		break;
	}
}

/* A request that is whole. */
static void take(struct worker *worker, struct request *request)
{
	struct workers *workers = worker->workers;

	begin_work(worker);
	metrics_add(METRIC_HISTORY_REQUESTS, 1);
	bool good = gateway_accept(request->exchange.gateway, &worker->feed,
	                           buffer_text(&request->exchange.input),
	                           request->exchange.connection);
	/* What waits to be saved, or read, does without it. */
	buffer_release(&worker->input);
	worker->input = request->exchange.input;
	request->exchange.input = (struct buffer){0};
	if (worker->input.room > KEPT_BYTES)
		buffer_release(&worker->input);
	if (good) {
		begin(worker, request);
	} else {
		metrics_add(METRIC_HISTORY_CUT_NO_REQUEST, 1);
		end(workers, request);
	}
	worker->begun++;
	end_work(worker);
}

/* False: there was none. */
static bool begin_verified(struct worker *worker)
{
	struct request *request = request_queue_take(worker->workers->verified);

	if (request == NULL)
		return false;
	begin_work(worker);
	begin(worker, request);
	worker->begun++;
	end_work(worker);
	return true;
}

static enum fastcgi_state read_first(struct worker *worker,
                                     struct request *request)
{
	enum fastcgi_state state = intake_read(&request->exchange);
	int64_t now_ms;

	if (state != FASTCGI_MORE || request->exchange.input.size > 0 ||
	    slow_peers_senders(worker->workers->slow_peers) > 0)
		return state;
	now_ms = clock_monotonic_ms();
	if (now_ms < worker->wait_ms)
		return state;
	state = intake_wait(&request->exchange, FIRST_WAIT_MS);
	if (state == FASTCGI_MORE)
		worker->wait_ms = now_ms + IN_VAIN_MS;
	return state;
}

/* False: there was none. */
static bool take_connection(struct worker *worker)
{
	struct workers *workers = worker->workers;
	struct request *request = worker->spare;
	int connection = -1;

	if (request == NULL)
		request = worker->spare = requests_take(workers->requests);
	if (request != NULL)
		connection = listener_accept(workers->listener);
	if (connection < 0)
		return false;
	worker->spare = NULL;
	request->exchange.input = worker->input;
	worker->input = (struct buffer){0};
	const struct settings *settings =
		live_settings_ref(worker->router.shared->live);
	intake_begin(&request->exchange, connection,
	             intake_body_limit(settings->limits.content));
	live_settings_unref(worker->router.shared->live, settings);
	switch (read_first(worker, request)) {
	case FASTCGI_WHOLE:
		take(worker, request);
		break;
	case FASTCGI_MORE:
		slow_peers_await_request(workers->slow_peers,
		                         &request->exchange);
		break;
	case FASTCGI_BROKEN:
		metrics_add(METRIC_HISTORY_CUT_NO_REQUEST, 1);
		intake_abandon(&request->exchange);
		requests_put_back(workers->requests, request);
		break;
	}
	return true;
}

/* Another that sleeps within its turn could answer the next. */
static void wake_for_reads(struct workers *workers)
{
	if (reads_has_next(workers->reads))
		listener_wake(workers->listener);
}

/* False: there was none. */
static bool answer_read(struct worker *worker)
{
	struct workers *workers = worker->workers;
	struct request *request = reads_take(workers->reads);

	if (request == NULL)
		return false;
	worker->begun = 0;
	begin_work(worker);
	wake_for_reads(workers);
	router_complete(&worker->router, request);
	reads_done(workers->reads);
	/* One may sleep because too many were at work, and this one may have to
	 * wait for its turn. */
	wake_for_reads(workers);
	answer(workers, request);
	end_work(worker);
	return true;
}

/* Does the next thing that there is to do: what is whole goes first, then what
 * comes, then a read; so a POST waits behind none. */
static bool work_once(struct worker *worker)
{
	struct workers *workers = worker->workers;

	if (worker->begun >= BEGUN_A_READ && answer_read(worker))
		return true;
	struct request *whole = request_queue_take(workers->whole);
	if (whole != NULL) {
		take(worker, whole);
		return true;
	}
	return begin_verified(worker) || take_connection(worker) ||
	       answer_read(worker);
}

static bool is_idle(void *context)
{
	struct workers *workers = context;

	return request_queue_is_empty(workers->whole) &&
	       request_queue_is_empty(workers->verified) &&
	       !reads_has_next(workers->reads);
}

/* There is nothing to do, and nothing will come. */
static bool is_over(struct worker *worker)
{
	struct workers *workers = worker->workers;

	return listener_has_ended(workers->listener) && worker->spare != NULL &&
	       slow_peers_senders(workers->slow_peers) == 0 &&
	       atomic_load(&workers->verifying) == 0 &&
	       is_idle(workers) && reads_is_idle(workers->reads);
}

static void rest(struct worker *worker)
{
	struct workers *workers = worker->workers;

	/* Without one, connections wait in the backlog. */
	if (worker->spare == NULL)
		listener_pause();
	else
		listener_wait(workers->listener, worker->place, is_idle, workers);
}

static void *work(void *argument)
{
	struct worker *worker = argument;

	for (;;) {
		turns_take(worker->workers->turns, worker->number);
		if (work_once(worker))
			continue;
		if (is_over(worker))
			break;
		rest(worker);
	}
	requests_put_back(worker->workers->requests, worker->spare);
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
			router_complete(&worker->router, request);
			answer(workers, request);
		}
	}
	return NULL;
}

/* By slow_peers, with what it has no more: */

static struct request *request_of(struct exchange *exchange)
{
	return LIST_OWNER(exchange, struct request, exchange);
}

static size_t unread_limit(void *context)
{
	struct workers *workers = context;
	const struct settings *settings = live_settings_ref(workers->live);
	size_t limit = (size_t)settings->limits.unread;

	live_settings_unref(workers->live, settings);
	return limit;
}

static void is_whole(void *context, struct exchange *exchange)
{
	struct workers *workers = context;

	request_queue_put(workers->whole, request_of(exchange));
	listener_wake(workers->listener);
}

static void is_broken(void *context, struct exchange *exchange)
{
	struct workers *workers = context;

	requests_put_back(workers->requests, request_of(exchange));
}

static void is_answered(void *context, struct exchange *exchange)
{
	end(context, request_of(exchange));
}

/* By the thread of verifications. */
static void is_verified(void *context, struct verification *verification)
{
	struct workers *workers = context;

	request_queue_put(workers->verified, verification->context);
	atomic_fetch_sub(&workers->verifying, 1);
	listener_wake(workers->listener);
}

static struct slow_peers *start_slow_peers(struct workers *workers,
                                           const struct settings *settings,
                                           size_t most, struct buffer *error)
{
	struct slow_peers_plan plan = {
		.request_timeout_ms = settings->history.request_timeout,
		.most = most,
		.unread_limit = unread_limit,
		.whole = is_whole,
		.broken = is_broken,
		.answered = is_answered,
		.context = workers,
	};

	return slow_peers_start(&plan, error);
}

static bool init_worker(struct worker *worker, const struct settings *settings,
                        const struct router_shared *shared,
                        struct buffer *error)
{
	struct workers *workers = worker->workers;
	bool accepts = worker != &workers->each[FINISHER];

	worker->number = (size_t)(worker - workers->each) - FIRST_WORKER;
	if (!router_init(&worker->router, &settings->store, shared, error))
		return false;
	if (!accepts)
		return true;
	worker->place = listener_join(workers->listener, error);
	if (worker->place < 0)
		return false;
	worker->feed = gateway_feed_new();
	if (worker->feed < 0)
		buffer_printf(error, "can't make a file in memory: %s",
		              strerror(errno));
	return worker->feed >= 0;
}

static bool init_each(struct workers *workers, const struct settings *settings,
                      const struct router_shared *shared,
                      struct buffer *error)
{
	for (; workers->count < workers->room; workers->count++) {
		struct worker *worker = &workers->each[workers->count];

		worker->workers = workers;
		worker->place = worker->feed = -1;
		if (!init_worker(worker, settings, shared, error)) {
			workers->count++;
			return false;
		}
	}
	return true;
}

static void worker_release(struct worker *worker)
{
	router_release(&worker->router);
	buffer_release(&worker->input);
	if (worker->place >= 0)
		close(worker->place);
	if (worker->feed >= 0)
		close(worker->feed);
}

static void release(struct workers *workers)
{
	for (size_t i = 0; i < workers->count; i++)
		worker_release(&workers->each[i]);
	requests_free(workers->requests);
	request_queue_free(workers->whole);
	request_queue_free(workers->verified);
	reads_free(workers->reads);
	free(workers->each);
	free(workers);
}

/* One processor is left to the web server, which is at work whenever we are. */
static size_t turns_at_once(void)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	return processors > 2 ? (size_t)processors - 1 : 1;
}

static struct workers *workers_new(size_t threads, size_t part,
                                   struct listener *listener,
                                   struct save_queue *saved,
                                   struct reads *reads)
{
	struct workers *workers = memory_get(sizeof *workers);

	workers->listener = listener;
	workers->saved = saved;
	workers->reads = reads;
	workers->requests = requests_new(part * PARTS);
	workers->whole = request_queue_new();
	workers->verified = request_queue_new();
	workers->room = FIRST_WORKER + threads;
	workers->each = memory_get(workers->room * sizeof *workers->each);
	return workers;
}

struct workers *workers_start(const struct settings *settings,
                              struct router_shared *shared,
                              struct listener *listener,
                              struct writer *writer,
                              struct save_queue *saved, size_t request_limit,
                              struct buffer *error)
{
	size_t threads = (size_t)settings->history.threads;
	size_t part = request_limit / PARTS;

	shared->reads = reads_new(threads, part);
	struct workers *workers =
		workers_new(threads, part, listener, saved, shared->reads);
	workers->live = shared->live;
	workers->writer = writer;
	if (init_each(workers, settings, shared, error))
		workers->slow_peers = start_slow_peers(workers, settings, part,
		                                       error);
	if (workers->slow_peers == NULL) {
		release(workers);
		return NULL;
	}
	workers->verifications = verifications_start(
		shared->access, part < VERIFICATIONS_MAX ? part : VERIFICATIONS_MAX,
		is_verified, workers);
	workers->turns = turns_new(turns_at_once(), threads);
	for (size_t i = 0; i < workers->count; i++)
		workers->each[i].thread = thread_start(
			i == FINISHER ? finish : work, &workers->each[i]);
	return workers;
}

void workers_join(struct workers *workers)
{
	slow_peers_end(workers->slow_peers);
	turns_end(workers->turns);
	for (size_t i = FIRST_WORKER; i < workers->count; i++)
		pthread_join(workers->each[i].thread, NULL);
	verifications_stop(workers->verifications);
	turns_free(workers->turns);
}

void workers_finish(struct workers *workers)
{
	save_queue_end(workers->saved);
	pthread_join(workers->each[FINISHER].thread, NULL);
	slow_peers_finish(workers->slow_peers);
	release(workers);
}
