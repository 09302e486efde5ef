/* For accept4(), which POSIX has since 2024. */
#define _GNU_SOURCE
#include "http/server.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/memory.h"
#include "loop/turn.h"
#include "metrics/metrics.h"
#include "os/descriptors.h"

enum {
	/* For the log, the bus, the standard streams. */
	RESERVED_DESCRIPTORS = 64,
	SURPLUS_CONNECTIONS = 64,
	LINGER_MS = 2000,
};

static const double tick_seconds = DEADLINES_TICK_MS / 1000.0;
static const double accept_retry_seconds = 0.1;

struct listener {
	struct list all; /* in server.listeners */
	struct ev_io io;
	struct endpoint endpoint;
};

static struct listener *listener_at(struct list *link)
{
	return LIST_OWNER(link, struct listener, all);
}

static void pause_accepting(struct server *server, bool try_again)
{
	if (!server->accepting)
		return;
	server->accepting = false;
	for (struct list *at = server->listeners.next; at != &server->listeners;
	     at = at->next)
		ev_io_stop(server->loop, &listener_at(at)->io);
	if (!try_again)
		return;
	/* A timer that has fired would go on at once. */
	ev_timer_set(&server->accept_again, accept_retry_seconds, 0.0);
	ev_timer_start(server->loop, &server->accept_again);
}

static void resume_accepting(struct ev_loop *loop, struct ev_timer *timer,
                             int events)
{
	struct server *server = timer->data;

	(void)events;
	ev_timer_stop(loop, timer);
	if (server->accepting || server->transport.draining)
		return;
	server->accepting = true;
	for (struct list *at = server->listeners.next; at != &server->listeners;
	     at = at->next)
		ev_io_start(loop, &listener_at(at)->io);
}

/* Stops for a moment, when there is no room for more. */
static void complain_and_pause(struct server *server, const char *why)
{
	complaint_warn(&server->about_accepting,
	               "accepting paused: %s: connections=%zu", why,
	               server->transport.count);
	metrics_add(METRIC_PUSHD_ACCEPT_PAUSES, 1);
	pause_accepting(server, true);
}

static void accept_some(struct ev_loop *loop, struct ev_io *io, int events)
{
	struct server *server = io->data;
	struct transport *transport = &server->transport;

	(void)loop;
	(void)events;
	for (int i = 0; i < TURN_ACCEPTS; i++) {
		if (transport->count >= transport->limit + server->surplus) {
			complain_and_pause(server, "push.max_connections");
			return;
		}
		int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			metrics_add(METRIC_PUSHD_ACCEPTED, 1);
			connection_new(transport, fd,
			               transport->count >= transport->limit);
			continue;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return;
		if (accept_error_is_transient(errno))
			continue;
		complain_and_pause(server, strerror(errno));
		return;
	}
}

static void expire_connection(struct deadline *deadline)
{
	connection_expire(LIST_OWNER(deadline, struct connection, deadline));
}

void server_visit(struct server *server,
                  void (*visit)(struct connection *c, void *context),
                  void *context)
{
	struct list *all = &server->transport.connections;
	struct list members;

	list_take_all(&members, all);
	while (!list_is_empty(&members)) {
		struct list *link = members.next;

		list_append(all, link);
		visit(LIST_OWNER(link, struct connection, all), context);
	}
}

static void tell_of_clock(struct connection *c, void *context)
{
	(void)context;
	if (connection_is_parked(c))
		c->transport->handlers->clock_was_set(c);
}

/* Deadlines use the monotonic clock, but tokens expire by the wall clock. So parked
 * requests are checked again when the wall clock was set forward or has run fast.
 * Setting it back postpones nothing. */
static void heed_wall_clock(struct server *server)
{
	const struct moment *now = &server->transport.now;
	int64_t ahead_ms = now->wall_ms - now->steady_ms;
	bool is_forward = ahead_ms >= server->ahead_ms + DEADLINES_TICK_MS / 2;

	if (!is_forward && ahead_ms >= server->ahead_ms)
		return;
	server->ahead_ms = ahead_ms;
	if (is_forward)
		server_visit(server, tell_of_clock, NULL);
}

static bool turn_deadlines(struct transport *transport)
{
	return deadlines_turn(&transport->deadlines, transport->now.steady_ms,
	                      TURN_DEADLINES, expire_connection);
}

static void tick(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct server *server = timer->data;

	(void)loop;
	(void)events;
	heed_wall_clock(server);
	turn_deadlines(&server->transport);
}

/* The time is read once for each turn of the loop. */
static void read_clock(struct ev_loop *loop, struct ev_check *check, int events)
{
	struct server *server = check->data;

	(void)loop;
	(void)events;
	server->transport.now = clock_now();
}

static void free_dead(struct transport *transport)
{
	while (!list_is_empty(&transport->dead))
		connection_free(LIST_OWNER(transport->dead.next,
		                           struct connection, all));
}

/* Each that is in the queue by now has its turn once, while there is room. */
static void go_on_with_connections(struct transport *transport)
{
	int64_t end_us = clock_monotonic_us() + TURN_US;
	struct list members;

	list_take_all(&members, &transport->put_off);
	while (!list_is_empty(&members) && transport->write_left > 0 &&
	       clock_monotonic_us() < end_us) {
		struct connection *c =
			LIST_OWNER(members.next, struct connection, put_off);

		list_remove(&c->put_off);
		connection_go_on(c);
	}
	/* The others keep their places, before those that were added. */
	list_append_all(&members, &transport->put_off);
	list_append_all(&transport->put_off, &members);
}

bool server_go_on(struct server *server)
{
	struct transport *transport = &server->transport;
	bool has_due = false;

	transport->write_left = TURN_WRITE_BYTES;
	if (!list_is_empty(&transport->put_off))
		go_on_with_connections(transport);
	if (!list_is_empty(&transport->deadlines.due))
		has_due = turn_deadlines(transport);
	return has_due || !list_is_empty(&transport->put_off);
}

bool server_needs_share(const struct server *server)
{
	const struct transport *transport = &server->transport;

	return transport->write_left < TURN_WRITE_BYTES ||
	       !list_is_empty(&transport->put_off) ||
	       !list_is_empty(&transport->deadlines.due);
}

static void end_turn(struct ev_loop *loop, struct ev_prepare *prepare,
                     int events)
{
	struct server *server = prepare->data;

	(void)events;
	free_dead(&server->transport);
	if (server->transport.draining && server->transport.count == 0)
		ev_break(loop, EVBREAK_ALL);
}

/* By how much longer than before a connection may be in each state. */
struct extension {
	int64_t ms[CONNECTION_STATES];
};

static void extend(struct connection *c, void *context)
{
	const struct extension *extension = context;
	int64_t ms = extension->ms[c->state];

	if (ms != 0)
		connection_set_due(c, c->deadline.due_ms + ms);
}

static void set_timeout(struct transport *transport, enum connection_state state,
                        int64_t ms, struct extension *extension)
{
	extension->ms[state] = ms - transport->timeouts_ms[state];
	transport->timeouts_ms[state] = ms;
}

/* Those under way get what others will. */
static void use_options(struct server *server, const struct http_options *options)
{
	struct transport *transport = &server->transport;
	struct extension extension = {{0}};

	set_timeout(transport, CONNECTION_IDLE, options->idle_ms, &extension);
	set_timeout(transport, CONNECTION_HEAD, options->head_ms, &extension);
	set_timeout(transport, CONNECTION_WRITING, options->write_ms,
	            &extension);
	server_visit(server, extend, &extension);
	transport->head_bytes = options->head_bytes;
	transport->unread_bytes = options->unread_bytes;
	/* The parser has a limit of its own; ours is to come first. */
	request_parser_set_most(options->head_bytes + 1);
}

size_t server_least_descriptors(void)
{
	return RESERVED_DESCRIPTORS + SURPLUS_CONNECTIONS + 1;
}

/* Shares out the files that may be open. */
static bool set_limit(struct server *server, int64_t max_connections,
                      struct buffer *error)
{
	size_t wanted = (size_t)max_connections;
	size_t kept = RESERVED_DESCRIPTORS + SURPLUS_CONNECTIONS;
	size_t files = descriptors_raise_limit();

	if (files <= kept || files - kept < wanted) {
		buffer_printf(error,
		              "push.max_connections: %zu is more than the limit of "
		              "%zu open files less %zu reserved: lower it or "
		              "raise the limit (ulimit -n, LimitNOFILE=)",
		              wanted, files, kept);
		return false;
	}
	server->transport.limit = wanted > 0 ? wanted : files - kept;
	server->surplus = SURPLUS_CONNECTIONS;
	return true;
}

void server_listen(struct server *server, struct endpoint endpoint)
{
	struct listener *listener = memory_get(sizeof *listener);

	listener->endpoint = endpoint;
	list_init(&listener->all);
	list_append(&server->listeners, &listener->all);
	ev_io_init(&listener->io, accept_some, endpoint.fd, EV_READ);
	listener->io.data = server;
	ev_io_start(server->loop, &listener->io);
}

static bool start_poller(struct server *server, struct buffer *error)
{
	if (poller_init(&server->transport.poller, server->loop,
	                connection_ready))
		return true;
	buffer_printf(error, "epoll: %s", strerror(errno));
	return false;
}

static void init_transport(struct transport *transport,
                           const struct http_handlers *handlers, void *context)
{
	*transport = (struct transport){.handlers = handlers,
	                                .context = context,
	                                .now = clock_now(),
	                                .write_left = TURN_WRITE_BYTES,
	                                .poller.io.fd = -1};
	transport->timeouts_ms[CONNECTION_LINGERING] = LINGER_MS;
	deadlines_init(&transport->deadlines, transport->now.steady_ms);
	list_init(&transport->connections);
	list_init(&transport->dead);
	list_init(&transport->put_off);
	unread_init(&transport->unread);
}

static void start_watchers(struct server *server)
{
	ev_timer_init(&server->ticks, tick, tick_seconds, tick_seconds);
	server->ticks.data = server;
	ev_timer_start(server->loop, &server->ticks);
	ev_check_init(&server->turn, read_clock);
	ev_set_priority(&server->turn, EV_MAXPRI);
	server->turn.data = server;
	ev_check_start(server->loop, &server->turn);
	ev_timer_init(&server->accept_again, resume_accepting,
	              accept_retry_seconds, 0.0);
	server->accept_again.data = server;
	ev_prepare_init(&server->ending, end_turn);
	server->ending.data = server;
	ev_prepare_start(server->loop, &server->ending);
}

bool server_init(struct server *server, struct ev_loop *loop,
                 const struct http_options *options,
                 const struct http_handlers *handlers, void *context,
                 struct buffer *error)
{
	*server = (struct server){.loop = loop, .accepting = true};
	list_init(&server->listeners);
	init_transport(&server->transport, handlers, context);
	server->ahead_ms = server->transport.now.wall_ms -
	                   server->transport.now.steady_ms;
	use_options(server, options);
	start_watchers(server);
	return set_limit(server, options->max_connections, error) &&
	       start_poller(server, error);
}

bool server_set_options(struct server *server, const struct http_options *options,
                        struct buffer *error)
{
	if (!set_limit(server, options->max_connections, error))
		return false;
	use_options(server, options);
	return true;
}

static void stop_listening(struct server *server)
{
	pause_accepting(server, false);
	while (!list_is_empty(&server->listeners)) {
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it left the list */
		struct listener *listener = listener_at(server->listeners.next);

		list_remove(&listener->all);
		ev_io_stop(server->loop, &listener->io);
		endpoint_close(&listener->endpoint);
		free(listener);
	}
}

void server_release(struct server *server)
{
	struct transport *transport = &server->transport;

	stop_listening(server);
	while (!list_is_empty(&transport->connections))
		connection_close(LIST_OWNER(transport->connections.next,
		                            struct connection, all));
	free_dead(transport);
	request_parser_free(transport->spare);
	ev_timer_stop(server->loop, &server->ticks);
	ev_check_stop(server->loop, &server->turn);
	poller_release(&transport->poller);
	ev_timer_stop(server->loop, &server->accept_again);
	ev_prepare_stop(server->loop, &server->ending);
}

static void accept_from(struct server *server, struct listener *listener)
{
	size_t before;

	do {
		if (listener->endpoint.outlives_us)
			return;
		before = server->transport.count;
		accept_some(server->loop, &listener->io, 0);
	} while (server->accepting && server->transport.count > before);
}

static void accept_backlog(struct server *server)
{
	for (struct list *at = server->listeners.next; at != &server->listeners;
	     at = at->next)
		accept_from(server, listener_at(at));
}

static void count_parked(struct connection *c, void *count)
{
	if (connection_is_parked(c))
		++*(size_t *)count;
}

static void drain_connection(struct connection *c, void *context)
{
	(void)context;
	connection_drain(c);
}

void server_drain(struct server *server)
{
	struct transport *transport = &server->transport;
	size_t parked = 0;

	accept_backlog(server);
	stop_listening(server);
	transport->draining = true;
	server_visit(server, count_parked, &parked);
	transport->handlers->draining(transport->context, parked);
	server_visit(server, drain_connection, NULL);
}

struct server_status server_status(const struct server *server)
{
	const struct transport *transport = &server->transport;

	return (struct server_status){
		.connection_limit = (int64_t)transport->limit,
		.put_off = (int64_t)list_length(&transport->put_off),
		.unread_bytes = transport->unread.bytes,
	};
}
