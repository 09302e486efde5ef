#include "verbs/operator.h"

#include "metrics/health.h"
#include "metrics/metrics.h"

static void forbid_caching(struct request *request)
{
	buffer_add_string(&request->exchange.response.headers,
	                  "Cache-Control: no-store\r\n");
}

void operator_begin_health(struct request *request)
{
	forbid_caching(request);
	/* A GET has no body, so its buffer is free for the reason. */
	buffer_clear(&request->body);
	request->save = (struct save){.why = &request->body};
}

/* Reading and saving are both tried each time: the disk may have filled up since the
 * last message, or have space again since the last failure. */
void operator_complete_health(struct store *store, struct request *request)
{
	struct response *response = &request->exchange.response;
	struct log_end end;
	bool reads = store_log_end(store, &end);
	bool writes = request->save.outcome == SAVE_SAVED;
	bool good = reads && writes;

	health_begin(&response->body, good);
	health_add_claim(&response->body, "reads", reads);
	health_add_claim(&response->body, "writes", writes);
	health_end(&response->body, good,
	           reads ? buffer_text(&request->body)
	                 : text_of(store_error(store)));
	response->status = health_status(good);
	response->content_type = "application/json";
}

void operator_metrics(struct request *request)
{
	struct response *response = &request->exchange.response;

	forbid_caching(request);
	metrics_render(METRICS_history, &response->body);
	response->content_type = metrics_media_type;
}
