#include "inflight.h"

#include <unistd.h>

#include "metrics/metrics.h"

enum {
	/* At most a quarter of all requests may be incomplete, a quarter may wait
	 * for their readers, and a quarter may be queued reads. The rest is for
	 * POSTs. */
	PARTS = 4,
};

void inflight_init(struct inflight *inflight, const struct settings *settings,
                   const struct router_shared *shared, struct listener *listener,
                   struct writer *writer, size_t limit)
{
	size_t part = limit / PARTS;

	*inflight = (struct inflight){
		.shared = shared,
		.listener = listener,
		.writer = writer,
		.part = part,
		.requests = requests_new(part * PARTS),
		.whole = request_queue_new(),
		.verified = request_queue_new(),
		.reads = reads_new((size_t)settings->history.threads, part),
	};
}

void inflight_release(struct inflight *inflight)
{
	requests_free(inflight->requests);
	request_queue_free(inflight->whole);
	request_queue_free(inflight->verified);
	reads_free(inflight->reads);
}

void inflight_end(struct inflight *inflight, struct request *request)
{
	reads_leave(inflight->reads, request);
	/* A large buffer is not kept. */
	response_clear(&request->exchange.response);
	metrics_add(METRIC_HISTORY_REQUESTS, -1);
	requests_put_back(inflight->requests, request);
}

void inflight_answer(struct inflight *inflight, struct request *request)
{
	struct exchange *exchange = &request->exchange;

	if (!response_send(&exchange->response, exchange->gateway)) {
		slow_peers_await_reader(inflight->slow_peers, exchange);
		return;
	}
	gateway_finish(exchange->gateway);
	inflight_end(inflight, request);
}

void inflight_verify(struct inflight *inflight, struct request *request)
{
	atomic_fetch_add(&inflight->verifying, 1);
	if (verifications_put(inflight->verifications, &request->verification))
		return;
	atomic_fetch_sub(&inflight->verifying, 1);
	router_refuse_unverified(request);
	inflight_answer(inflight, request);
}

bool inflight_is_idle(struct inflight *inflight)
{
	return request_queue_is_empty(inflight->whole) &&
	       request_queue_is_empty(inflight->verified) &&
	       !reads_has_next(inflight->reads);
}

bool inflight_is_over(struct inflight *inflight)
{
	return slow_peers_senders(inflight->slow_peers) == 0 &&
	       atomic_load(&inflight->verifying) == 0 &&
	       inflight_is_idle(inflight) && reads_is_idle(inflight->reads);
}

/* ---- By the thread of verifications ---- */

static void is_verified(void *context, struct verification *verification)
{
	struct inflight *inflight = context;

	request_queue_put(inflight->verified,
	                  LIST_OWNER(verification, struct request, verification));
	atomic_fetch_sub(&inflight->verifying, 1);
	listener_wake(inflight->listener);
}

/* ---- By the supervisor, with what slow_peers has no more ---- */

static struct request *request_of(struct exchange *exchange)
{
	return LIST_OWNER(exchange, struct request, exchange);
}

static void is_whole(void *context, struct exchange *exchange)
{
	struct inflight *inflight = context;

	request_queue_put(inflight->whole, request_of(exchange));
	listener_wake(inflight->listener);
}

static void is_broken(void *context, struct exchange *exchange)
{
	struct inflight *inflight = context;

	requests_put_back(inflight->requests, request_of(exchange));
}

static void is_answered(void *context, struct exchange *exchange)
{
	inflight_end(context, request_of(exchange));
}

static size_t unread_limit(void *context)
{
	struct inflight *inflight = context;
	struct live_settings *live = inflight->shared->live;
	const struct settings *settings = live_settings_ref(live);
	size_t limit = (size_t)settings->limits.unread;

	live_settings_unref(live, settings);
	return limit;
}

/* One processor is left to the web server, which is busy whenever we are. */
static size_t concurrency_limit(void)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	return processors > 2 ? (size_t)processors - 1 : 1;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

bool inflight_start(struct inflight *inflight, const struct settings *settings,
                    struct buffer *error)
{
	struct slow_peers_plan plan = {
		.request_timeout_ms = settings->history.request_timeout,
		.most = inflight->part,
		.unread_limit = unread_limit,
		.whole = is_whole,
		.broken = is_broken,
		.answered = is_answered,
		.context = inflight,
	};

	inflight->supervisor =
		supervisor_start(&plan, concurrency_limit(),
	                         (size_t)settings->history.threads, error);
	if (inflight->supervisor == NULL)
		return false;
	inflight->slow_peers = supervisor_peers(inflight->supervisor);
	inflight->verifications = verifications_start(
		inflight->shared->access, least(inflight->part, VERIFICATIONS_MAX),
		is_verified, inflight);
	return true;
}
