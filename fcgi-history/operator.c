#include "operator.h"

#include "metrics.h"

static const char *word(bool claim)
{
	return claim ? "true" : "false";
}

/* Both are tried, and not only remembered: a disk may have got full since the
 * last message, and room may have been made since the last failure. */
static void answer_health(struct service *service)
{
	struct response *response = &service->response;
	struct log_end end;
	bool reads = store_log_end(service->store, &end);
	bool writes = writer_probe(service->writer);
	bool good = reads && writes;

	buffer_printf(&response->body,
	              "{\"status\":\"%s\",\"reads\":%s,\"writes\":%s}",
	              good ? "ok" : "failing", word(reads), word(writes));
	response->status = good ? 200 : 503;
	response->content_type = "application/json";
}

static void answer_metrics(struct service *service)
{
	metrics_render(METRICS_history, &service->response.body);
	service->response.content_type = metrics_media_type;
}

void operator_answer(struct service *service, enum route_kind kind)
{
	/* A process that lives for one request has nothing to tell. */
	if (service->writer == NULL) {
		service_refuse(service, PROBLEM_NOT_FOUND, "there is no such path");
		return;
	}
	buffer_add_string(&service->response.headers,
	                  "Cache-Control: no-store\r\n");
	if (kind == ROUTE_HEALTH)
		answer_health(service);
	else
		answer_metrics(service);
}
