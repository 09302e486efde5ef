#include "operator.h"

#include "metrics/health.h"
#include "metrics/metrics.h"

/* A process that lives for one request has nothing to tell. */
static bool is_daemon(const struct service *service, struct request *request)
{
	if (service->shared->writer == NULL)
		service_refuse(request, PROBLEM_NOT_FOUND, "there is no such path");
	else
		buffer_add_string(&request->exchange.response.headers,
		                  "Cache-Control: no-store\r\n");
	return service->shared->writer != NULL;
}

/* Both are tried, and not only remembered: a disk may have got full since the
 * last message, and room may have been made since the last failure. */
static void finish_health(struct service *service, struct request *request)
{
	struct response *response = &request->exchange.response;
	struct log_end end;
	bool reads = store_log_end(service->store, &end);
	bool writes = request->save.outcome == SAVE_SAVED;
	bool good = reads && writes;

	health_begin(&response->body, good);
	health_add_claim(&response->body, "reads", reads);
	health_add_claim(&response->body, "writes", writes);
	health_end(&response->body, good,
	           reads ? buffer_text(&request->body)
	                 : text_of(store_error(service->store)));
	response->status = health_status(good);
	response->content_type = "application/json";
}

void operator_health(struct service *service, struct request *request)
{
	if (!is_daemon(service, request))
		return;
	/* A GET has no body, so there is room for why not. */
	buffer_clear(&request->body);
	request->save = (struct save){.context = request, .why = &request->body};
	request->finish = finish_health;
}

void operator_metrics(struct service *service, struct request *request)
{
	if (!is_daemon(service, request))
		return;
	metrics_render(METRICS_history, &request->exchange.response.body);
	request->exchange.response.content_type = metrics_media_type;
}
