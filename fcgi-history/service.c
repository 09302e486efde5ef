#include "service.h"

#include "history.h"
#include "journal.h"
#include "operator.h"
#include "send.h"

bool service_init(struct service *service, const struct settings *settings,
                  struct live_settings *live, struct writer *writer,
                  struct buffer *error)
{
	*service = (struct service){
		.live = live,
		.writer = writer,
		.store = store_new(settings, STORE_READ, error),
		.gateway = gateway_new(),
	};
	return service->store != NULL;
}

bool service_init_cgi(struct service *service, const struct settings *settings,
                      struct live_settings *live, struct buffer *error)
{
	if (!service_init(service, settings, live, NULL, error))
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
	gateway_free(service->gateway);
	response_release(&service->response);
	buffer_release(&service->body);
}

/* REQUEST_URI is what the client sent; plain CGI (RFC 3875) has its parts
 * only. */
static struct text read_target(struct gateway *g, struct buffer *b)
{
	struct text uri = gateway_variable(g, "REQUEST_URI");
	struct text query = gateway_variable(g, "QUERY_STRING");

	if (uri.size > 0)
		return uri;
	buffer_add_text(b, gateway_variable(g, "SCRIPT_NAME"));
	buffer_add_text(b, gateway_variable(g, "PATH_INFO"));
	if (query.size > 0)
		buffer_add_string(b, "?");
	buffer_add_text(b, query);
	return buffer_text(b);
}

void service_refuse(struct service *service, enum problem_type type,
                    const char *detail)
{
	response_set_problem(&service->response, (struct problem){type, detail});
}

void service_refuse_unread(struct service *service, const struct room_name *room)
{
	journal_error("Failed to read from database: %s: room_id=%.*s",
	              store_error(service->store),
	              TEXT_ARGS(room_name_label(room)));
	service_refuse(service, PROBLEM_STORAGE, "the log can't be read now");
}

static void refuse_method(struct service *service, const char *allowed)
{
	buffer_printf(&service->response.headers, "Allow: %s\r\n", allowed);
	service_refuse(service, PROBLEM_METHOD_NOT_ALLOWED,
	               "this path does not know that method");
}

static bool has_body(struct gateway *g)
{
	struct text length = gateway_variable(g, "CONTENT_LENGTH");

	return length.size > 0 && !text_is(length, "0");
}

static void answer_route(struct service *service, const struct route *route,
                         struct text method)
{
	bool is_get = text_is(method, "GET") || text_is(method, "HEAD");

	if (is_get && route->kind != ROUTE_NONE && has_body(service->gateway)) {
		service_refuse(service, PROBLEM_BAD_REQUEST, "a GET has no body");
		return;
	}
	switch (route->kind) {
	case ROUTE_BAD_ROOM:
		service_refuse(service, PROBLEM_BAD_ROOM_NAME,
		               "a room's name is 1 to 64 of A-Z a-z 0-9 . _ ~ -, "
		               "and room_<number> has no leading zero");
		break;
	case ROUTE_MESSAGES:
		if (text_is(method, "POST"))
			send_message(service, route);
		else if (is_get)
			history_page(service, route);
		else
			refuse_method(service, "GET, HEAD, POST");
		break;
	case ROUTE_MESSAGE:
		if (is_get)
			history_message(service, route);
		else
			refuse_method(service, "GET, HEAD");
		break;
	case ROUTE_HEALTH:
	case ROUTE_METRICS:
		if (is_get)
			operator_answer(service, route->kind);
		else
			refuse_method(service, "GET, HEAD");
		break;
	case ROUTE_POLL:
	case ROUTE_NONE:
		service_refuse(service, PROBLEM_NOT_FOUND, "there is no such path");
		break;
	}
}

void service_answer(struct service *service)
{
	struct text method = gateway_variable(service->gateway, "REQUEST_METHOD");
	struct buffer target = {0};
	struct route route;

	response_clear(&service->response);
	buffer_clear(&service->body);
	service->settings = live_settings_hold(service->live);
	route_parse(read_target(service->gateway, &target), &route);
	answer_route(service, &route, method);
	live_settings_release(service->live, service->settings);
	response_send(&service->response, !text_is(method, "HEAD"),
	              service->gateway);
	buffer_release(&target);
}
