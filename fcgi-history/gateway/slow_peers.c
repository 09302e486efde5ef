#include "gateway/slow_peers.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/complaint.h"
#include "base/memory.h"
#include "gateway/intake.h"
#include "metrics/metrics.h"

enum {
	LOOK_MS = 250, /* between checks of the time, while a peer is slow */
};

/* The log lines for what the metrics count. */
static const struct {
	enum metric metric;
	const char *what;
} reasons[] = {
	{METRIC_HISTORY_CUT_SLOW,
	 "history.request_timeout exceeded: disconnecting slow FastCGI peers"},
	{METRIC_HISTORY_CUT_READER,
	 "no progress for 10 s: disconnecting FastCGI peers that do not read "
	 "their answers"},
	{METRIC_HISTORY_CUT_UNREAD,
	 "limits.unread exceeded: disconnecting FastCGI peers that do not read "
	 "their answers"},
	{METRIC_HISTORY_CUT_UNFINISHED,
	 "too many incomplete requests: disconnecting the peers without progress "
	 "for longest"},
};

enum { REASONS = sizeof reasons / sizeof reasons[0] };

/* Peers of one kind. */
struct side {
	struct list peers; /* still for longest first */
	size_t count, bytes;
	int64_t end_ms; /* INT64_MAX: not yet */
	enum metric gauge;
	enum metric cut_crowded; /* too many, or too much */
	enum metric cut_still;
};

enum side_kind { SENDERS, READERS, SIDES };

struct slow_peers {
	struct slow_peers_plan plan;
	pthread_mutex_t lock;
	/* Under the lock: */
	struct side sides[SIDES];
	bool finished;
	/* The thread's: */
	struct complaint about[REASONS];
};

/* Under the lock. */
static void count(struct side *side, struct exchange *exchange, size_t bytes)
{
	side->bytes += bytes - exchange->bytes;
	exchange->bytes = bytes;
}

/* Under the lock. The peer is still counted until it has been handed on: see
 * leave_side(). */
static void take_out(struct slow_peers *peers, struct exchange *exchange)
{
	list_remove(&exchange->link);
	count(&peers->sides[exchange->side], exchange, 0);
	epoll_ctl(peers->plan.place, EPOLL_CTL_DEL, exchange->connection, NULL);
}

static void leave_side(struct slow_peers *peers, enum side_kind kind)
{
	pthread_mutex_lock(&peers->lock);
	peers->sides[kind].count--;
	pthread_mutex_unlock(&peers->lock);
	metrics_add(peers->sides[kind].gauge, -1);
}

static void put_in(struct slow_peers *peers, enum side_kind kind,
                   struct exchange *exchange, size_t bytes)
{
	struct epoll_event event = {.events = kind == SENDERS ? EPOLLIN : EPOLLOUT,
	                            .data.ptr = exchange};
	struct side *side = &peers->sides[kind];

	exchange->side = kind;
	exchange->progress_ms = clock_monotonic_ms();
	exchange->due_ms = exchange->progress_ms + peers->plan.request_timeout_ms;
	pthread_mutex_lock(&peers->lock);
	list_append(&side->peers, &exchange->link);
	count(side, exchange, bytes);
	side->count++;
	metrics_add(side->gauge, 1);
	/* Without peers the thread sleeps until it is woken. */
	bool wakes = side->count == 1 || side->count > peers->plan.most;
	epoll_ctl(peers->plan.place, EPOLL_CTL_ADD, exchange->connection, &event);
	pthread_mutex_unlock(&peers->lock);
	if (wakes)
		eventfd_write(peers->plan.wake, 1);
}

void slow_peers_await_request(struct slow_peers *peers, struct exchange *exchange)
{
	put_in(peers, SENDERS, exchange, exchange->input.capacity);
}

void slow_peers_await_reader(struct slow_peers *peers, struct exchange *exchange)
{
	exchange->connection = gateway_connection(exchange->gateway);
	put_in(peers, READERS, exchange, response_bytes(&exchange->response));
}

size_t slow_peers_senders(struct slow_peers *peers)
{
	pthread_mutex_lock(&peers->lock);
	size_t senders = peers->sides[SENDERS].count;
	pthread_mutex_unlock(&peers->lock);
	return senders;
}

static void tell_cut(struct slow_peers *peers, enum metric reason)
{
	metrics_add(reason, 1);
	for (size_t i = 0; i < REASONS; i++)
		if (reasons[i].metric == reason)
			complaint_warn(&peers->about[i], "%s", reasons[i].what);
}

/* Disconnects a peer that was taken out. */
static void cut_off(struct slow_peers *peers, struct exchange *exchange,
                    enum metric reason)
{
	enum side_kind kind = (enum side_kind)exchange->side;

	tell_cut(peers, reason);
	if (kind == SENDERS) {
		intake_abandon(exchange);
		peers->plan.broken(peers->plan.context, exchange);
	} else {
		gateway_abandon(exchange->gateway);
		peers->plan.answered(peers->plan.context, exchange);
	}
	leave_side(peers, kind);
}

/* Hands on a peer that was taken out and is complete. */
static void hand_on(struct slow_peers *peers, struct exchange *exchange)
{
	enum side_kind kind = (enum side_kind)exchange->side;

	if (kind == SENDERS) {
		peers->plan.whole(peers->plan.context, exchange);
	} else {
		gateway_finish(exchange->gateway);
		peers->plan.answered(peers->plan.context, exchange);
	}
	leave_side(peers, kind);
}

/* Reads or writes as much as possible. */
static enum fastcgi_state move(struct exchange *exchange)
{
	if (exchange->side == SENDERS)
		return intake_read(exchange);
	return response_send(&exchange->response, exchange->gateway)
	               ? FASTCGI_WHOLE
	               : FASTCGI_MORE;
}

static void keep_waiting(struct slow_peers *peers, struct exchange *exchange,
                         int64_t now_ms)
{
	struct side *side = &peers->sides[exchange->side];

	pthread_mutex_lock(&peers->lock);
	exchange->progress_ms = now_ms;
	list_append(&side->peers, &exchange->link);
	if (exchange->side == SENDERS)
		count(side, exchange, exchange->input.capacity);
	pthread_mutex_unlock(&peers->lock);
}

void slow_peers_handle(struct slow_peers *peers, struct exchange *exchange)
{
	int64_t now_ms = clock_monotonic_ms();
	enum fastcgi_state state = move(exchange);

	if (state == FASTCGI_MORE && now_ms < exchange->due_ms) {
		keep_waiting(peers, exchange, now_ms);
		return;
	}
	pthread_mutex_lock(&peers->lock);
	take_out(peers, exchange);
	pthread_mutex_unlock(&peers->lock);
	if (state == FASTCGI_WHOLE)
		hand_on(peers, exchange);
	else
		cut_off(peers, exchange,
		        state == FASTCGI_MORE ? METRIC_HISTORY_CUT_SLOW
		                              : METRIC_HISTORY_CUT_NO_REQUEST);
}

/* Under the lock. Takes out the next peer of a side that must be disconnected; NULL:
 * there is none. */
static struct exchange *take_overdue(struct slow_peers *peers, struct side *side,
                                     size_t most_bytes, enum metric *reason)
{
	int64_t now_ms = clock_monotonic_ms();

	if (list_is_empty(&side->peers))
		return NULL;
	struct exchange *first = LIST_OWNER(side->peers.next, struct exchange, link);
	if (side->count > peers->plan.most || side->bytes > most_bytes)
		*reason = side->cut_crowded;
	else if (now_ms >= first->due_ms)
		*reason = METRIC_HISTORY_CUT_SLOW;
	else if (now_ms - first->progress_ms >= SLOW_PEERS_SILENCE_MS ||
	         now_ms >= side->end_ms)
		*reason = side->cut_still;
	else
		return NULL;
	take_out(peers, first);
	return first;
}

static void cut_overdue(struct slow_peers *peers)
{
	size_t most_bytes = peers->plan.unread_limit(peers->plan.context);

	for (int kind = 0; kind < SIDES; kind++) {
		struct exchange *exchange = NULL;
		enum metric reason = METRIC_HISTORY_CUT_SLOW;

		do {
			pthread_mutex_lock(&peers->lock);
			exchange = take_overdue(peers, &peers->sides[kind],
			                        most_bytes, &reason);
			pthread_mutex_unlock(&peers->lock);
			if (exchange != NULL)
				cut_off(peers, exchange, reason);
		} while (exchange != NULL);
	}
}

/* Under the lock. */
static bool is_empty(const struct slow_peers *peers)
{
	return peers->sides[SENDERS].count + peers->sides[READERS].count == 0;
}

int slow_peers_look(struct slow_peers *peers)
{
	pthread_mutex_lock(&peers->lock);
	bool empty = is_empty(peers);
	pthread_mutex_unlock(&peers->lock);
	if (empty)
		return -1;
	cut_overdue(peers);
	return LOOK_MS;
}

bool slow_peers_is_over(struct slow_peers *peers)
{
	pthread_mutex_lock(&peers->lock);
	bool over = peers->finished && is_empty(peers);
	pthread_mutex_unlock(&peers->lock);
	return over;
}

static void side_init(struct side *side, enum metric gauge,
                      enum metric cut_crowded, enum metric cut_still)
{
	*side = (struct side){.end_ms = INT64_MAX,
	                      .gauge = gauge,
	                      .cut_crowded = cut_crowded,
	                      .cut_still = cut_still};
	list_init(&side->peers);
}

struct slow_peers *slow_peers_new(const struct slow_peers_plan *plan)
{
	struct slow_peers *peers = memory_get(sizeof *peers);

	peers->plan = *plan;
	side_init(&peers->sides[SENDERS], METRIC_HISTORY_SENDERS,
	          METRIC_HISTORY_CUT_UNFINISHED, METRIC_HISTORY_CUT_NO_REQUEST);
	side_init(&peers->sides[READERS], METRIC_HISTORY_READERS,
	          METRIC_HISTORY_CUT_UNREAD, METRIC_HISTORY_CUT_READER);
	pthread_mutex_init(&peers->lock, NULL);
	return peers;
}

void slow_peers_free(struct slow_peers *peers)
{
	pthread_mutex_destroy(&peers->lock);
	free(peers);
}

void slow_peers_end_senders(struct slow_peers *peers)
{
	pthread_mutex_lock(&peers->lock);
	peers->sides[SENDERS].end_ms = clock_monotonic_ms() + SLOW_PEERS_END_MS;
	pthread_mutex_unlock(&peers->lock);
}

void slow_peers_end_readers(struct slow_peers *peers)
{
	pthread_mutex_lock(&peers->lock);
	peers->sides[READERS].end_ms = clock_monotonic_ms() + SLOW_PEERS_LAST_MS;
	peers->finished = true;
	pthread_mutex_unlock(&peers->lock);
	eventfd_write(peers->plan.wake, 1);
}
