#include "router.h"

#include "metrics/metrics.h"
#include "verbs/guard.h"
#include "verbs/history.h"
#include "verbs/operator.h"
#include "verbs/send.h"

bool router_init(struct router *router, const struct store_settings *settings,
                 const struct router_shared *shared, struct buffer *error)
{
	*router = (struct router){
		.shared = shared,
		.store = store_new(settings, STORE_READ, error),
	};
	return router->store != NULL;
}

void router_release(struct router *router)
{
	store_free(router->store);
}

/* ---- Verbs ---- */

struct verb {
	bool is_of_room;         /* else it is for the operator */
	enum access_right right; /* to the room */
	enum router_next (*begin)(struct router *router, struct request *request);
	/* Called when a read's turn has come, or a save has its outcome. */
	void (*complete)(struct router *router, struct request *request);
};

/* In the daemon a read waits for its turn. */
static enum router_next begin_read(struct router *router, struct request *request)
{
	struct reads *reads = router->shared->reads;

	if (reads != NULL &&
	    !reads_admit(reads, router->settings->limits.user_reads, request))
		return ROUTER_ANSWERED;
	return ROUTER_READS;
}

static void complete_read(struct router *router, struct request *request,
                          void (*read)(const struct history_source *source,
                                       struct request *request))
{
	struct live_settings *live = router->shared->live;
	const struct settings *settings = live_settings_ref(live);
	struct history_source source = {
		.store = router->store,
		.rooms = &settings->rooms,
		.is_public = settings->auth.mode == AUTH_OPEN,
	};

	read(&source, request);
	live_settings_unref(live, settings);
}

static void complete_page(struct router *router, struct request *request)
{
	complete_read(router, request, history_page);
}

static void complete_message(struct router *router, struct request *request)
{
	complete_read(router, request, history_message);
}

static enum router_next begin_send(struct router *router, struct request *request)
{
	const struct settings *settings = router->settings;
	struct send_rules rules = {
		.limits = &settings->limits,
		.rooms = &settings->rooms,
		.reject_unsaved = settings->history.on_save_failure ==
		                  ON_SAVE_FAILURE_REJECT,
		.sent = router->shared->sent,
	};

	return send_begin(&rules, request) ? ROUTER_SAVES : ROUTER_ANSWERED;
}

static void complete_send(struct router *router, struct request *request)
{
	send_complete(router->store, request);
}

/* A CGI process, which lives for one request, has no health and no metrics. */
static bool is_for_operator(struct router *router, struct request *request)
{
	if (!router->shared->is_daemon)
		request_refuse(request, PROBLEM_NOT_FOUND,
		               "no such path in a CGI program: /healthz and "
		               "/metrics need the daemon");
	return router->shared->is_daemon;
}

static enum router_next begin_health(struct router *router,
                                     struct request *request)
{
	if (!is_for_operator(router, request))
		return ROUTER_ANSWERED;
	operator_begin_health(request);
	return ROUTER_SAVES;
}

static void complete_health(struct router *router, struct request *request)
{
	operator_complete_health(router->store, request);
}

static enum router_next router_answer_metrics(struct router *router,
                                              struct request *request)
{
	if (is_for_operator(router, request))
		operator_metrics(request);
	return ROUTER_ANSWERED;
}

static const struct verb
	get_page = {true, ACCESS_READ, begin_read, complete_page},
	get_message = {true, ACCESS_READ, begin_read, complete_message},
	post_message = {true, ACCESS_WRITE, begin_send, complete_send},
	get_health = {.begin = begin_health, .complete = complete_health},
	get_metrics = {.begin = router_answer_metrics};

/* The methods of each path. */
static const struct resource {
	const struct verb *get, *post;
	const char *methods;
} resources[] = {
	[ROUTE_MESSAGES] = {&get_page, &post_message, "GET, HEAD, POST"},
	[ROUTE_MESSAGE] = {&get_message, NULL, "GET, HEAD"},
	[ROUTE_HEALTH] = {&get_health, NULL, "GET, HEAD"},
	[ROUTE_METRICS] = {&get_metrics, NULL, "GET, HEAD"},
};

/* ---- What is asked for ---- */

static enum method read_method(struct request *request)
{
	static const char *const names[] = {
		[METHOD_GET] = "GET",
		[METHOD_HEAD] = "HEAD",
		[METHOD_POST] = "POST",
		[METHOD_OPTIONS] = "OPTIONS",
	};
	struct text name = request_variable(request, "REQUEST_METHOD");
	unsigned method = METHOD_GET;

	while (method < METHOD_OTHER && !text_is(name, names[method]))
		method++;
	return (enum method)method;
}

/* REQUEST_URI is what the client sent; plain CGI (RFC 3875) has its parts
 * only. */
static void read_target(struct request *request)
{
	struct buffer *target = &request->target;
	struct text uri = request_variable(request, "REQUEST_URI");

	buffer_add_text(target, uri);
	if (uri.size > 0)
		return;
	struct text query = request_variable(request, "QUERY_STRING");
	buffer_add_text(target, request_variable(request, "SCRIPT_NAME"));
	buffer_add_text(target, request_variable(request, "PATH_INFO"));
	if (query.size > 0)
		buffer_add_string(target, "?");
	buffer_add_text(target, query);
}

static bool is_get(const struct request *request)
{
	return request->method == METHOD_GET || request->method == METHOD_HEAD;
}

static bool has_body(struct request *request)
{
	struct text length = request_variable(request, "CONTENT_LENGTH");

	return length.size > 0 && !text_is(length, "0");
}

/* ---- From the request to its verb ---- */

/* Whether the path names a resource. */
static bool check_route(struct request *request)
{
	enum route_kind kind = request->route.kind;

	if (is_get(request) && kind != ROUTE_NONE && has_body(request))
		request_refuse(request, PROBLEM_BAD_REQUEST,
		               "a GET must have no body");
	else if (kind == ROUTE_BAD_ROOM)
		request_refuse(request, PROBLEM_BAD_ROOM_NAME, room_name_rule);
	else if (kind == ROUTE_NONE || route_is_for_several(kind))
		request_refuse(request, PROBLEM_NOT_FOUND, route_none_detail);
	else
		return true;
	return false;
}

/* Whether the resource allows the method; then request->verb answers it. */
static bool check_method(struct request *request, const struct resource *resource)
{
	request->verb = is_get(request)                  ? resource->get
	                : request->method == METHOD_POST ? resource->post
	                                                 : NULL;
	if (request->verb != NULL)
		return true;
	buffer_printf(&request->exchange.response.headers, "Allow: %s\r\n",
	              resource->methods);
	request_refuse(request, PROBLEM_METHOD_NOT_ALLOWED,
	               "method not allowed: Allow lists the methods of this path");
	return false;
}

static enum router_next begin_verb(struct router *router, struct request *request)
{
	const struct verb *verb = request->verb;
	enum guard_verdict verdict = GUARD_ALLOWED;

	if (verb->is_of_room)
		verdict = guard_ask(router->shared->access, &router->settings->auth,
		                    request, verb->right);
	if (verdict == GUARD_UNVERIFIED)
		return ROUTER_VERIFIES;
	if (verdict == GUARD_REFUSED)
		return ROUTER_ANSWERED;
	return verb->begin(router, request);
}

static enum router_next route(struct router *router, struct request *request)
{
	const struct auth_settings *auth = &router->settings->auth;

	guard_add_cors(auth, request);
	if (!check_route(request))
		return ROUTER_ANSWERED;
	const struct resource *resource = &resources[request->route.kind];
	if (guard_answer_preflight(auth, request, resource->methods) ||
	    !check_method(request, resource))
		return ROUTER_ANSWERED;
	return begin_verb(router, request);
}

static void seal(struct request *request)
{
	response_seal(&request->exchange.response,
	              request->method != METHOD_HEAD);
}

enum router_next router_begin(struct router *router, struct request *request)
{
	struct live_settings *live = router->shared->live;

	request_clear(request);
	request->method = read_method(request);
	read_target(request);
	route_parse(buffer_text(&request->target), &request->route);
	router->settings = live_settings_ref(live);
	enum router_next next = route(router, request);
	live_settings_unref(live, router->settings);
	if (next != ROUTER_VERIFIES)
		gateway_end_input(request->exchange.gateway);
	if (next == ROUTER_ANSWERED)
		seal(request);
	return next;
}

void router_complete(struct router *router, struct request *request)
{
	request->verb->complete(router, request);
	seal(request);
}

void router_refuse_unverified(struct request *request)
{
	metrics_add(METRIC_HISTORY_VERIFIED_NONE, 1);
	request_refuse(request, PROBLEM_OVERLOADED,
	               "too many tokens are waiting for verification: repeat after "
	               "Retry-After");
	gateway_end_input(request->exchange.gateway);
	seal(request);
}
