#include "poll/operator.h"

#include "base/clock.h"
#include "http/server.h"
#include "metrics/health.h"
#include "metrics/metrics.h"
#include "poll/poll.h"

/* When the log was last read that long ago, this is more than a hiccup of the
 * disk. */
enum { HEALTHY_LAG_SECONDS = 10 };

static int64_t lag_seconds(const struct hub_status *hub)
{
	return (clock_monotonic_ms() - hub->complete_ms) / 1000;
}

/* "": all is well. */
static const char *find_reason(const struct hub_status *hub, bool follows,
                               bool is_draining)
{
	if (hub->trouble[0] != '\0')
		return hub->trouble;
	if (!follows)
		return "more than 10 s behind the log";
	return is_draining ? "shutting down" : "";
}

static struct answer *answer_health(const struct polls *polls)
{
	struct hub_status hub = hub_status(polls->hub);
	bool is_draining = server_is_draining(polls->server);
	int64_t lag = lag_seconds(&hub);
	bool follows = hub.is_ready && lag <= HEALTHY_LAG_SECONDS;
	const char *reason = find_reason(&hub, follows, is_draining);
	bool good = reason[0] == '\0';
	struct buffer body = {0};

	health_begin(&body, good);
	health_add_claim(&body, "reads", !hub.is_failing);
	health_add_claim(&body, "follows", follows);
	health_add_number(&body, "lag_seconds", lag);
	health_add_claim(&body, "bus", metrics_value(METRIC_PUSHD_BUS) != 0);
	health_add_claim(&body, "ending", is_draining);
	health_end(&body, good, text_of(reason));
	buffer_add_string(&body, "\n");
	struct answer *answer =
		answer_text(health_status(good), "application/json", "",
	                    buffer_text(&body), is_draining);
	buffer_release(&body);
	return answer;
}

static const enum metric metrics[] = {
	[CONNECTION_IDLE] = METRIC_PUSHD_IDLE,
	[CONNECTION_HEAD] = METRIC_PUSHD_HEAD,
	[CONNECTION_PARKED] = METRIC_PUSHD_WAITING,
	[CONNECTION_WRITING] = METRIC_PUSHD_WRITING,
	[CONNECTION_LINGERING] = METRIC_PUSHD_LINGERING,
};

struct connection_counts {
	int64_t by_state[CONNECTION_DEAD];
	int64_t verifying; /* of those that are parked */
};

static void count_connection(struct connection *c, void *context)
{
	struct connection_counts *counts = context;

	if (connection_is_parked(c) && poll_of(c)->verification != NULL)
		counts->verifying++;
	else
		counts->by_state[c->state]++;
}

/* Counted only for a scrape: counting every change of state would cost more. */
static void count_connections(struct server *server)
{
	struct connection_counts counts = {.verifying = 0};

	server_visit(server, count_connection, &counts);
	metrics_set(METRIC_PUSHD_VERIFYING, counts.verifying);
	for (size_t i = 0; i < CONNECTION_DEAD; i++)
		metrics_set(metrics[i], counts.by_state[i]);
}

static void tell_presence(const struct presence *presence)
{
	metrics_set(METRIC_PUSHD_PRESENCE_ROOMS, (int64_t)presence->watching.count);
	metrics_set(METRIC_PUSHD_PRESENCE_USERS,
	            (int64_t)roster_users_here(presence->roster));
}

static struct answer *operator_answer_metrics(const struct polls *polls)
{
	struct server_status server = server_status(polls->server);
	struct hub_status hub = hub_status(polls->hub);
	struct buffer body = {0};

	count_connections(polls->server);
	metrics_set(METRIC_PUSHD_CONNECTION_LIMIT, server.connection_limit);
	metrics_set(METRIC_PUSHD_READS_WAITING, hub.reads);
	metrics_set(METRIC_PUSHD_LAG_SECONDS, lag_seconds(&hub));
	metrics_set(METRIC_PUSHD_ROOMS, (int64_t)hub.rooms);
	metrics_set(METRIC_PUSHD_WINDOW_BYTES, hub.window_bytes);
	metrics_set(METRIC_PUSHD_WINDOW_LIMIT, hub.window_limit_bytes);
	metrics_set(METRIC_PUSHD_LONG_PAGES, hub.long_pages);
	metrics_set(METRIC_PUSHD_PUT_OFF, server.put_off);
	metrics_set(METRIC_PUSHD_UNREAD, server.unread_bytes);
	metrics_set(METRIC_PUSHD_WINDOW_MESSAGES, hub.window_messages);
	if (polls->presence != NULL)
		tell_presence(polls->presence);
	metrics_render(METRICS_pushd, &body);
	struct answer *answer = answer_text(200, metrics_media_type, "",
	                                    buffer_text(&body),
	                                    server_is_draining(polls->server));
	buffer_release(&body);
	return answer;
}

struct answer *operator_answer(const struct polls *polls, enum route_kind kind)
{
	return kind == ROUTE_HEALTH ? answer_health(polls) : operator_answer_metrics(polls);
}
