#include "worker.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "gateway/intake.h"
#include "metrics/metrics.h"
#include "os/thread.h"

enum {
	KEPT_BYTES = 64 * 1024, /* of a request's memory, for the next one */
	/* Requests that are begun for each read, if one waits. */
	BEGUN_A_READ = 16,
	/* A web server sends at once, but after it has connected: so long is one
	 * waited for before the thread that waits for slow ones gets it, if it has
	 * none and that was not in vain within the last second. */
	FIRST_WAIT_MS = 1,
	IN_VAIN_MS = 1000,
};

bool worker_init(struct worker *worker, size_t number,
                 const struct settings *settings, struct inflight *inflight,
                 struct buffer *error)
{
	*worker = (struct worker){.number = number,
	                          .inflight = inflight,
	                          .place = -1,
	                          .feed = -1};
	if (!router_init(&worker->router, &settings->store, inflight->shared,
	                 error))
		return false;
	worker->place = listener_join(inflight->listener, error);
	if (worker->place < 0)
		return false;
	worker->feed = gateway_feed_new();
	if (worker->feed < 0)
		buffer_printf(error, "can't create a file in memory: %s",
		              strerror(errno));
	return worker->feed >= 0;
}

void worker_release(struct worker *worker)
{
	router_release(&worker->router);
	buffer_release(&worker->input);
	if (worker->place >= 0)
		close(worker->place);
	if (worker->feed >= 0)
		close(worker->feed);
}

static void begin_work(struct worker *worker)
{
	metrics_add(METRIC_HISTORY_BUSY, 1);
	concurrency_begin_work(worker->concurrency, worker->number);
}

/* A worker that has lost its permit stops here: it leaves reads, and what may follow
 * them, to others. */
static void end_work(struct worker *worker)
{
	struct inflight *inflight = worker->inflight;

	if (!concurrency_end_work(worker->concurrency, worker->number))
		listener_wake(inflight->listener);
	metrics_add(METRIC_HISTORY_BUSY, -1);
}

static void begin_request(struct worker *worker, struct request *request)
{
	struct inflight *inflight = worker->inflight;

	switch (router_begin(&worker->router, request)) {
	case ROUTER_ANSWERED:
		inflight_answer(inflight, request);
		break;
	case ROUTER_VERIFIES:
		/* The request takes the feed along. */
		gateway_keep_feed(request->exchange.gateway, &worker->feed);
		inflight_verify(inflight, request);
		break;
	case ROUTER_READS:
		reads_put(inflight->reads, request);
		break;
	case ROUTER_SAVES:
		/* From here on the request belongs to another thread. */
		writer_put(inflight->writer, &request->save);
		break;
	}
}

/* Handles a complete request. */
static void take_whole(struct worker *worker, struct request *request)
{
	struct inflight *inflight = worker->inflight;

	begin_work(worker);
	metrics_add(METRIC_HISTORY_REQUESTS, 1);
	bool good = gateway_accept(request->exchange.gateway, &worker->feed,
	                           buffer_text(&request->exchange.input),
	                           request->exchange.connection);
	/* A request that waits to be saved or read needs no feed. */
	buffer_release(&worker->input);
	worker->input = request->exchange.input;
	request->exchange.input = (struct buffer){0};
	if (worker->input.capacity > KEPT_BYTES)
		buffer_release(&worker->input);
	if (good) {
		begin_request(worker, request);
	} else {
		metrics_add(METRIC_HISTORY_CUT_NO_REQUEST, 1);
		inflight_end(inflight, request);
	}
	worker->begun++;
	end_work(worker);
}

/* False: there was none. */
static bool begin_verified(struct worker *worker)
{
	struct request *request = request_queue_take(worker->inflight->verified);

	if (request == NULL)
		return false;
	begin_work(worker);
	begin_request(worker, request);
	worker->begun++;
	end_work(worker);
	return true;
}

static enum fastcgi_state read_at_once(struct worker *worker,
                                       struct request *request)
{
	enum fastcgi_state state = intake_read(&request->exchange);
	int64_t now_ms;

	if (state != FASTCGI_MORE || request->exchange.input.size > 0 ||
	    slow_peers_senders(worker->inflight->slow_peers) > 0)
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
	struct inflight *inflight = worker->inflight;
	struct request *request = worker->spare;
	int connection = -1;

	if (request == NULL)
		request = worker->spare = requests_take(inflight->requests);
	if (request != NULL)
		connection = listener_accept(inflight->listener);
	if (connection < 0)
		return false;
	worker->spare = NULL;
	request->exchange.input = worker->input;
	worker->input = (struct buffer){0};
	const struct settings *settings =
		live_settings_ref(worker->router.shared->live);
	intake_begin(&request->exchange, connection,
	             intake_body_limit(settings->limits.content,
	                               settings->limits.data));
	live_settings_unref(worker->router.shared->live, settings);
	switch (read_at_once(worker, request)) {
	case FASTCGI_WHOLE:
		take_whole(worker, request);
		break;
	case FASTCGI_MORE:
		slow_peers_await_request(inflight->slow_peers,
		                         &request->exchange);
		break;
	case FASTCGI_BROKEN:
		metrics_add(METRIC_HISTORY_CUT_NO_REQUEST, 1);
		intake_abandon(&request->exchange);
		requests_put_back(inflight->requests, request);
		break;
	}
	return true;
}

/* Another worker that sleeps with a permit could answer the next read. */
static void wake_for_reads(struct inflight *inflight)
{
	if (reads_has_next(inflight->reads))
		listener_wake(inflight->listener);
}

/* False: there was none. */
static bool answer_read(struct worker *worker)
{
	struct inflight *inflight = worker->inflight;
	struct request *request = reads_take(inflight->reads);

	if (request == NULL)
		return false;
	worker->begun = 0;
	begin_work(worker);
	wake_for_reads(inflight);
	router_complete(&worker->router, request);
	reads_done(inflight->reads);
	/* Another worker may sleep because too many were running, and this one may
	 * have to wait for a permit. */
	wake_for_reads(inflight);
	inflight_answer(inflight, request);
	end_work(worker);
	return true;
}

/* Does the next piece of work: complete requests first, then new connections, then
 * one read. So no POST waits behind a read. */
static bool work_once(struct worker *worker)
{
	struct inflight *inflight = worker->inflight;

	if (worker->begun >= BEGUN_A_READ && answer_read(worker))
		return true;
	struct request *whole = request_queue_take(inflight->whole);
	if (whole != NULL) {
		take_whole(worker, whole);
		return true;
	}
	return begin_verified(worker) || take_connection(worker) ||
	       answer_read(worker);
}

static bool is_idle(void *inflight)
{
	return inflight_is_idle(inflight);
}

/* There is nothing to do, and there will be nothing more. */
static bool is_over(struct worker *worker)
{
	struct inflight *inflight = worker->inflight;

	return listener_has_ended(inflight->listener) && worker->spare != NULL &&
	       inflight_is_over(inflight);
}

static void rest(struct worker *worker)
{
	struct inflight *inflight = worker->inflight;

	/* Without one, connections wait in the backlog. */
	if (worker->spare == NULL)
		listener_pause();
	else
		listener_wait(inflight->listener, worker->place, is_idle, inflight);
}

static void *work(void *argument)
{
	struct worker *worker = argument;

	for (;;) {
		concurrency_acquire(worker->concurrency, worker->number);
		if (work_once(worker))
			continue;
		if (is_over(worker))
			break;
		rest(worker);
	}
	requests_put_back(worker->inflight->requests, worker->spare);
	return NULL;
}

void worker_start(struct worker *worker)
{
	worker->concurrency = supervisor_concurrency(worker->inflight->supervisor);
	worker->thread = thread_start(work, worker);
}
