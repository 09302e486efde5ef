#include "service.h"

#include "base/journal.h"
#include "guard.h"
#include "history.h"
#include "metrics/metrics.h"
#include "operator.h"
#include "send.h"

bool service_init(struct service *service, const struct settings *settings,
                  const struct service_shared *shared, struct buffer *error)
{
	*service = (struct service){
		.shared = shared,
		.store = store_new(&settings->store, STORE_READ, error),
	};
	return service->store != NULL;
}

bool service_init_cgi(struct service *service, const struct settings *settings,
                      const struct service_shared *shared,
                      struct buffer *error)
{
	if (!service_init(service, settings, shared, error))
		return false;
	/* A process that lives for one request has no time for subscribers to
	 * connect, so it has no bus: pushd finds the message in the log. */
	service->saver = saver_new(settings, "", error);
	if (service->saver == NULL)
		return false;
	/* The first request of all finds no database to read. */
	saver_check(service->saver);
	return true;
}

void service_release(struct service *service)
{
	saver_free(service->saver);
	store_free(service->store);
}

/* REQUEST_URI is what the client sent; plain CGI (RFC 3875) has its parts
 * only. */
static void read_target(struct gateway *g, struct buffer *b)
{
	struct text uri = gateway_variable(g, "REQUEST_URI");
	struct text query = gateway_variable(g, "QUERY_STRING");

	buffer_add_text(b, uri);
	if (uri.size > 0)
		return;
	buffer_add_text(b, gateway_variable(g, "SCRIPT_NAME"));
	buffer_add_text(b, gateway_variable(g, "PATH_INFO"));
	if (query.size > 0)
		buffer_add_string(b, "?");
	buffer_add_text(b, query);
}

void service_refuse(struct request *request, enum problem_type type,
                    const char *detail)
{
	response_set_problem(&request->exchange.response, (struct problem){type, detail});
}

void service_refuse_unread(struct service *service, struct request *request)
{
	journal_error("Failed to read from database: %s: room_id=%.*s",
	              store_error(service->store),
	              TEXT_ARGS(room_name_label(&request->route.room)));
	service_refuse(request, PROBLEM_STORAGE, "the log can't be read now");
}

static void refuse_method(struct request *request, const char *allowed)
{
	buffer_printf(&request->exchange.response.headers, "Allow: %s\r\n", allowed);
	service_refuse(request, PROBLEM_METHOD_NOT_ALLOWED,
	               "this path does not know that method");
}

static bool has_body(struct gateway *g)
{
	struct text length = gateway_variable(g, "CONTENT_LENGTH");

	return length.size > 0 && !text_is(length, "0");
}

/* What a path knows. */
static const struct resource {
	request_read *get, *post;
	const char *methods;
	bool is_room;
} resources[] = {
	[ROUTE_MESSAGES] = {history_page, send_message, "GET, HEAD, POST", true},
	[ROUTE_MESSAGE] = {history_message, NULL, "GET, HEAD", true},
	[ROUTE_HEALTH] = {operator_health, NULL, "GET, HEAD", false},
	[ROUTE_METRICS] = {operator_metrics, NULL, "GET, HEAD", false},
};

/* Where there are others, a read waits for its turn. */
static void begin_read(struct service *service, struct request *request,
                       request_read *read)
{
	struct reads *reads = service->shared->reads;

	if (reads == NULL)
		read(service, request);
	else if (reads_admit(reads, service->settings, request))
		request->read = read;
}

static void answer_room(struct service *service, struct request *request,
                        const struct resource *resource, bool is_get)
{
	if (!guard_let_in(service, request,
	                  is_get ? ACCESS_READ : ACCESS_WRITE))
		return;
	if (is_get)
		begin_read(service, request, resource->get);
	else
		resource->post(service, request);
}

static void answer_resource(struct service *service, struct request *request,
                            bool is_get)
{
	const struct resource *resource = &resources[request->route.kind];
	struct text method = gateway_variable(request->exchange.gateway, "REQUEST_METHOD");
	bool is_post = text_is(method, "POST") && resource->post != NULL;

	if (guard_answer_preflight(service, request, resource->methods))
		return;
	if (!is_get && !is_post)
		refuse_method(request, resource->methods);
	else if (resource->is_room)
		answer_room(service, request, resource, is_get);
	else
		resource->get(service, request);
}

static void answer_route(struct service *service, struct request *request)
{
	enum route_kind kind = request->route.kind;
	struct text method = gateway_variable(request->exchange.gateway, "REQUEST_METHOD");
	bool is_get = text_is(method, "GET") || text_is(method, "HEAD");

	guard_add_cors(service, request);
	if (is_get && kind != ROUTE_NONE && has_body(request->exchange.gateway))
		service_refuse(request, PROBLEM_BAD_REQUEST, "a GET has no body");
	else if (kind == ROUTE_BAD_ROOM)
		service_refuse(request, PROBLEM_BAD_ROOM_NAME,
		               "a room's name is 1 to 64 of A-Z a-z 0-9 . _ ~ -, "
		               "and room_<number> has no leading zero");
	else if (kind == ROUTE_NONE || kind == ROUTE_POLL)
		service_refuse(request, PROBLEM_NOT_FOUND, route_none_detail);
	else
		answer_resource(service, request, is_get);
}

static void seal(struct request *request)
{
	struct text method = gateway_variable(request->exchange.gateway, "REQUEST_METHOD");

	response_seal(&request->exchange.response, !text_is(method, "HEAD"));
}

static void clear(struct request *request)
{
	buffer_clear(&request->target);
	buffer_clear(&request->body);
	sender_clear(&request->sender);
	response_clear(&request->exchange.response);
	request->finish = NULL;
	request->read = NULL;
	request->is_unverified = false;
}

static void begin(struct service *service, struct request *request)
{
	clear(request);
	read_target(request->exchange.gateway, &request->target);
	route_parse(buffer_text(&request->target), &request->route);
	service->settings = live_settings_hold(service->shared->live);
	answer_route(service, request);
	live_settings_release(service->shared->live, service->settings);
	if (!request->is_unverified)
		gateway_end_input(request->exchange.gateway);
}

enum service_next service_begin(struct service *service, struct request *request)
{
	begin(service, request);
	if (request->is_unverified)
		return SERVICE_VERIFIES;
	if (request->read != NULL)
		return SERVICE_READS;
	if (request->finish != NULL) {
		/* From here on it is no longer ours. */
		writer_put(service->shared->writer, &request->save);
		return SERVICE_SAVES;
	}
	seal(request);
	return SERVICE_ANSWERED;
}

void service_read(struct service *service, struct request *request)
{
	service->settings = live_settings_hold(service->shared->live);
	request->read(service, request);
	live_settings_release(service->shared->live, service->settings);
	seal(request);
}

void service_cannot_verify(struct request *request)
{
	metrics_add(METRIC_HISTORY_VERIFIED_NONE, 1);
	request->is_unverified = false;
	service_refuse(request, PROBLEM_OVERLOADED,
	               "too many tokens wait to be verified");
	gateway_end_input(request->exchange.gateway);
	seal(request);
}

void service_finish(struct service *service, struct request *request)
{
	request->finish(service, request);
	seal(request);
}

void service_answer(struct service *service, struct request *request)
{
	struct save *save = &request->save;

	begin(service, request);
	if (request->is_unverified) {
		struct verification *verification = &request->verification;

		access_prove(service->shared->access, verification->token,
		             &verification->proof);
		verification->is_done = true;
		begin(service, request);
	}
	if (request->finish != NULL) {
		saver_save(service->saver, &save, 1);
		request->finish(service, request);
	}
	seal(request);
	response_send(&request->exchange.response, request->exchange.gateway);
	gateway_finish(request->exchange.gateway);
}
