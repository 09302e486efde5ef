#include "operator.h"

#include "base/clock.h"
#include "metrics/health.h"
#include "metrics/metrics.h"
#include "server.h"

/* A look at the log that is so late is no hiccup of the disk any more. */
enum { HEALTHY_LAG_SECONDS = 10 };

static int64_t lag_seconds(const struct hub_status *hub)
{
	return (clock_monotonic_ms() - hub->complete_ms) / 1000;
}

/* "": all is well. */
static const char *find_reason(const struct server *server,
                               const struct hub_status *hub, bool follows)
{
	if (hub->trouble[0] != '\0')
		return hub->trouble;
	if (!follows)
		return "the log was not read to its end for too long";
	return server->draining ? "it was told to end" : "";
}

static struct answer *answer_health(const struct server *server)
{
	struct hub_status hub = hub_status(server->hub);
	int64_t lag = lag_seconds(&hub);
	bool follows = hub.is_ready && lag <= HEALTHY_LAG_SECONDS;
	const char *reason = find_reason(server, &hub, follows);
	bool good = reason[0] == '\0';
	struct buffer body = {0};

	health_begin(&body, good);
	health_add_claim(&body, "reads", !hub.is_failing);
	health_add_claim(&body, "follows", follows);
	health_add_number(&body, "lag_seconds", lag);
	health_add_claim(&body, "bus", metrics_value(METRIC_PUSHD_BUS) != 0);
	health_add_claim(&body, "ending", server->draining);
	health_end(&body, good, text_of(reason));
	buffer_add_string(&body, "\n");
	struct answer *answer =
		answer_text(health_status(good), "application/json",
	                    buffer_text(&body), server->draining);
	buffer_release(&body);
	return answer;
}

/* Counted when somebody asks, as every change of state would cost more. */
static void count_connections(const struct server *server)
{
	static const enum metric metrics[] = {
		[CONNECTION_IDLE] = METRIC_PUSHD_IDLE,
		[CONNECTION_HEAD] = METRIC_PUSHD_HEAD,
		[CONNECTION_VERIFYING] = METRIC_PUSHD_VERIFYING,
		[CONNECTION_WAITING] = METRIC_PUSHD_WAITING,
		[CONNECTION_WRITING] = METRIC_PUSHD_WRITING,
		[CONNECTION_LINGERING] = METRIC_PUSHD_LINGERING,
	};
	int64_t counts[CONNECTION_DEAD] = {0};

	for (const struct list *at = server->connections.next;
	     at != &server->connections; at = at->next)
		counts[LIST_OWNER(at, struct connection, all)->state]++;
	for (size_t i = 0; i < CONNECTION_DEAD; i++)
		metrics_set(metrics[i], counts[i]);
}

static int64_t length(const struct list *list)
{
	int64_t count = 0;

	for (const struct list *at = list->next; at != list; at = at->next)
		count++;
	return count;
}

static struct answer *answer_metrics(const struct server *server)
{
	struct hub_status hub = hub_status(server->hub);
	struct buffer body = {0};

	count_connections(server);
	metrics_set(METRIC_PUSHD_CONNECTION_LIMIT, (int64_t)server->limit);
	metrics_set(METRIC_PUSHD_READS_WAITING, hub.reads);
	metrics_set(METRIC_PUSHD_LAG_SECONDS, lag_seconds(&hub));
	metrics_set(METRIC_PUSHD_ROOMS, (int64_t)hub.rooms);
	metrics_set(METRIC_PUSHD_WINDOW_BYTES, hub.window_bytes);
	metrics_set(METRIC_PUSHD_WINDOW_LIMIT, hub.window_limit_bytes);
	metrics_set(METRIC_PUSHD_LONG_PAGES, hub.long_pages);
	metrics_set(METRIC_PUSHD_PUT_OFF, length(&server->put_off));
	metrics_set(METRIC_PUSHD_UNREAD, server->unread.bytes);
	metrics_set(METRIC_PUSHD_WINDOW_MESSAGES, hub.window_messages);
	metrics_render(METRICS_pushd, &body);
	struct answer *answer = answer_text(200, metrics_media_type,
	                                    buffer_text(&body), server->draining);
	buffer_release(&body);
	return answer;
}

struct answer *operator_answer(const struct server *server, enum route_kind kind)
{
	return kind == ROUTE_HEALTH ? answer_health(server)
	                            : answer_metrics(server);
}
