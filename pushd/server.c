/* For accept4(), which POSIX has since 2024. */
#define _GNU_SOURCE
#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "metrics/metrics.h"
#include "os/descriptors.h"
#include "program/listening.h"

enum {
	/* For the log, the bus, the standard streams. */
	RESERVED_DESCRIPTORS = 64,
	SURPLUS_CONNECTIONS = 64,
	LINGER_MS = 2000,
	DRAIN_MS = 2000,
	OVERDUE_MS = 15000,
};

static const double tick_seconds = DEADLINES_TICK_MS / 1000.0;
static const double accept_retry_seconds = 0.1;
static const double share_pause_seconds = TURN_PAUSE_MS / 1000.0;

static void pause_accepting(struct server *server, bool try_again)
{
	if (!server->accepting)
		return;
	server->accepting = false;
	for (size_t i = 0; i < server->listener_count; i++)
		ev_io_stop(server->loop, &server->listeners[i].io);
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
	if (server->accepting || server->draining)
		return;
	server->accepting = true;
	for (size_t i = 0; i < server->listener_count; i++)
		ev_io_start(server->loop, &server->listeners[i].io);
}

/* Stops for a moment, when there is no room for more. */
static void complain_and_pause(struct server *server, const char *why)
{
	complaint_warn(&server->about_accepting,
	               "not accepting for a moment: %s, at %zu connections", why,
	               server->count);
	metrics_add(METRIC_PUSHD_ACCEPT_PAUSES, 1);
	pause_accepting(server, true);
}

static void accept_some(struct ev_loop *loop, struct ev_io *io, int events)
{
	struct server *server = io->data;

	(void)loop;
	(void)events;
	for (int i = 0; i < TURN_ACCEPTS; i++) {
		if (server->count >= server->limit + server->surplus) {
			complain_and_pause(server, "push.max_connections");
			return;
		}
		int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			metrics_add(METRIC_PUSHD_ACCEPTED, 1);
			connection_new(server, fd, server->count >= server->limit);
			continue;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return;
		if (endpoint_is_passing(errno))
			continue;
		complain_and_pause(server, strerror(errno));
		return;
	}
}

static void expire(struct deadline *deadline)
{
	connection_expire(LIST_OWNER(deadline, struct connection, deadline));
}

/* Deadlines go by the monotonic clock. Those of tokens are times of the wall clock:
 * whoever waits has to look again when that was set forward, or has gone faster for
 * a while. Set back, it makes nothing later. */
static void heed_wall_clock(struct server *server)
{
	int64_t ahead_ms = server->wall_ms - server->now_ms;
	bool is_forward = ahead_ms >= server->ahead_ms + DEADLINES_TICK_MS / 2;
	struct list members;

	if (!is_forward && ahead_ms >= server->ahead_ms)
		return;
	server->ahead_ms = ahead_ms;
	if (!is_forward)
		return;
	list_init(&members);
	list_append_all(&members, &server->connections);
	while (!list_is_empty(&members)) {
		struct list *link = members.next;

		list_append(&server->connections, link);
		connection_heed_clock(LIST_OWNER(link, struct connection, all));
	}
}

static void tick(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct server *server = timer->data;

	(void)loop;
	(void)events;
	heed_wall_clock(server);
	deadlines_turn(&server->deadlines, server->now_ms, TURN_DEADLINES,
	               expire);
}

/* The time is read once for all that happens in a turn of the loop. */
static void read_clock(struct ev_loop *loop, struct ev_check *check, int events)
{
	struct server *server = check->data;

	(void)loop;
	(void)events;
	server->now_ms = clock_monotonic_ms();
	server->wall_ms = clock_wall_ms();
}

struct moment server_now(const struct server *server)
{
	return (struct moment){server->now_ms, server->wall_ms};
}

static void free_dead(struct server *server)
{
	while (!list_is_empty(&server->dead))
		connection_free(LIST_OWNER(server->dead.next, struct connection,
		                           all));
}

/* Each that is in the queue by now has its turn once, while there is room. */
static void go_on_with_connections(struct server *server)
{
	int64_t end_us = clock_monotonic_us() + TURN_US;
	struct list members;

	list_init(&members);
	list_append_all(&members, &server->put_off);
	while (!list_is_empty(&members) && server->write_left > 0 &&
	       clock_monotonic_us() < end_us) {
		struct connection *c =
			LIST_OWNER(members.next, struct connection, put_off);

		list_remove(&c->put_off);
		connection_go_on(c);
	}
	/* The others keep their places, before those that were added. */
	list_append_all(&members, &server->put_off);
	list_append_all(&server->put_off, &members);
}

bool server_go_on(struct server *server)
{
	bool has_pages = hub_go_on(server->hub);
	bool has_due = false;

	server->write_left = TURN_WRITE_BYTES;
	if (!list_is_empty(&server->put_off))
		go_on_with_connections(server);
	if (!list_is_empty(&server->deadlines.due))
		has_due = deadlines_turn(&server->deadlines, server->now_ms,
		                         TURN_DEADLINES, expire);
	return has_pages || has_due || !list_is_empty(&server->put_off);
}

static void take_share(struct ev_loop *loop, struct ev_timer *share, int events)
{
	(void)loop;
	(void)events;
	server_go_on(share->data);
}

static bool needs_share(const struct server *server)
{
	return hub_needs_share(server->hub) ||
	       server->write_left < TURN_WRITE_BYTES ||
	       !list_is_empty(&server->put_off) ||
	       !list_is_empty(&server->deadlines.due);
}

static void prepare_share(struct server *server)
{
	if (ev_is_active(&server->share) || !needs_share(server))
		return;
	ev_timer_set(&server->share, share_pause_seconds, 0.0);
	ev_timer_start(server->loop, &server->share);
}

static void end_turn(struct ev_loop *loop, struct ev_prepare *prepare,
                     int events)
{
	struct server *server = prepare->data;

	(void)events;
	prepare_share(server);
	free_dead(server);
	if (server->draining && server->count == 0)
		ev_break(loop, EVBREAK_ALL);
}

/* Who is under way gets what others will. */
static void change_patience(struct server *server, enum deadline_kind kind,
                            enum connection_state state, int64_t patience_ms)
{
	int64_t change = patience_ms - server->patience_ms[kind];
	struct list *all = &server->connections;

	server->patience_ms[kind] = patience_ms;
	for (struct list *at = all->next; at != all; at = at->next) {
		struct connection *c = LIST_OWNER(at, struct connection, all);

		if (c->state == state)
			deadline_set(&server->deadlines, &c->deadline,
			             c->deadline.due_ms + change);
	}
}

static void set_patience(struct server *server, const struct settings *settings)
{
	change_patience(server, DEADLINE_IDLE, CONNECTION_IDLE,
	                settings->limits.idle_timeout);
	change_patience(server, DEADLINE_HEAD, CONNECTION_HEAD,
	                settings->limits.head_timeout);
	change_patience(server, DEADLINE_VERIFY, CONNECTION_VERIFYING,
	                settings->limits.head_timeout);
	change_patience(server, DEADLINE_WRITE, CONNECTION_WRITING,
	                settings->limits.write_timeout);
}

static void init_deadlines(struct server *server)
{
	int64_t *patience = server->patience_ms;

	server->now_ms = clock_monotonic_ms();
	server->wall_ms = clock_wall_ms();
	server->ahead_ms = server->wall_ms - server->now_ms;
	deadlines_init(&server->deadlines, server->now_ms);
	patience[DEADLINE_LINGER] = LINGER_MS;
	patience[DEADLINE_DRAIN] = DRAIN_MS;
	patience[DEADLINE_OVERDUE] = OVERDUE_MS;
	for (int seconds = 0; seconds <= POLL_MAX_SECONDS; seconds++)
		patience[DEADLINE_POLL + seconds] = INT64_C(1000) * seconds;
}

size_t server_least_descriptors(void)
{
	return RESERVED_DESCRIPTORS + SURPLUS_CONNECTIONS + 1;
}

/* Shares out the files that may be open. */
static bool set_limits(struct server *server, const struct settings *settings,
                       struct buffer *error)
{
	size_t wanted = (size_t)settings->push.max_connections;
	size_t kept = RESERVED_DESCRIPTORS + SURPLUS_CONNECTIONS;
	size_t files = descriptors_raise_limit();

	if (files <= kept || files - kept < wanted) {
		buffer_printf(error,
		              "push.max_connections: %zu, but only %zu files may "
		              "be open, and %zu of them are kept back",
		              wanted, files, kept);
		return false;
	}
	server->limit = wanted > 0 ? wanted : files - kept;
	server->surplus = SURPLUS_CONNECTIONS;
	return true;
}

static bool open_listener(struct server *server, size_t number,
                          bool is_inherited, struct buffer *error)
{
	const struct settings *settings = server->settings;
	struct endpoint *endpoint = &server->listeners[number].endpoint;

	if (is_inherited)
		return listening_inherit(settings, number, endpoint, error);
	return listening_open(settings, SETTING_push_listen,
	                      settings->push.listen.words[number], endpoint, error);
}

static bool listen_on_all(struct server *server, size_t inherited,
                          struct buffer *error)
{
	size_t count = inherited > 0 ? inherited
	                             : server->settings->push.listen.count;

	server->listeners = memory_get(count * sizeof *server->listeners);
	for (; server->listener_count < count; server->listener_count++) {
		struct listener *listener =
			&server->listeners[server->listener_count];

		if (!open_listener(server, server->listener_count, inherited > 0,
		                   error))
			return false;
		ev_io_init(&listener->io, accept_some, listener->endpoint.fd,
		           EV_READ);
		listener->io.data = server;
		ev_io_start(server->loop, &listener->io);
	}
	server->accepting = true;
	return true;
}

/* The parser has a limit of its own, for all; ours is to come first. */
static void set_head_limit(const struct settings *settings)
{
	http_parser_set_max_header_size(
		(uint32_t)settings->limits.request_head + 1);
}

/* Answers are shared, so what depends on a page's origin is rendered once. */
static void render_headers(struct server *server)
{
	const struct word_list *origins = &server->settings->auth.origins;

	server->headers = memory_get((origins->count + 1) *
	                             sizeof *server->headers);
	for (size_t i = 0; i <= origins->count; i++) {
		struct buffer b = {0};

		access_add_cors(&server->settings->auth,
		                text_of(i > 0 ? origins->words[i - 1] : ""), &b);
		server->headers[i] = buffer_text(&b);
	}
}

static void free_headers(struct server *server)
{
	size_t count = server->settings->auth.origins.count + 1;

	for (size_t i = 0; i < count; i++)
		free((char *)server->headers[i].data);
	free(server->headers);
}

const struct text *server_headers(const struct server *server, struct text origin)
{
	const struct word_list *origins = &server->settings->auth.origins;

	for (size_t i = 0; i < origins->count; i++)
		if (text_is(origin, origins->words[i]))
			return &server->headers[i + 1];
	return &server->headers[0];
}

static bool start_poller(struct server *server, struct buffer *error)
{
	if (poller_init(&server->poller, server->loop, connection_ready))
		return true;
	buffer_printf(error, "epoll: %s", strerror(errno));
	return false;
}

bool server_init(struct server *server, struct ev_loop *loop,
                 const struct settings *settings, size_t inherited,
                 struct hub *hub, struct access *access, struct buffer *error)
{
	*server = (struct server){.loop = loop,
	                          .settings = settings,
	                          .hub = hub,
	                          .access = access,
	                          .poller.io.fd = -1};
	list_init(&server->connections);
	list_init(&server->dead);
	list_init(&server->put_off);
	server->write_left = TURN_WRITE_BYTES;
	unread_init(&server->unread);
	users_init(&server->users);
	render_headers(server);
	init_deadlines(server);
	set_patience(server, settings);
	ev_timer_init(&server->ticks, tick, tick_seconds, tick_seconds);
	server->ticks.data = server;
	ev_timer_start(loop, &server->ticks);
	ev_check_init(&server->turn, read_clock);
	ev_set_priority(&server->turn, EV_MAXPRI);
	server->turn.data = server;
	ev_check_start(loop, &server->turn);
	ev_timer_init(&server->accept_again, resume_accepting,
	              accept_retry_seconds, 0.0);
	server->accept_again.data = server;
	ev_prepare_init(&server->ending, end_turn);
	server->ending.data = server;
	ev_prepare_start(loop, &server->ending);
	ev_init(&server->share, take_share);
	server->share.data = server;
	set_head_limit(settings);
	if (settings->auth.mode == AUTH_TOKEN)
		server->verifier = verifier_start(loop, access,
		                                  connection_verified);
	return set_limits(server, settings, error) &&
	       start_poller(server, error) &&
	       listen_on_all(server, inherited, error);
}

bool server_change_settings(struct server *server, const struct settings *fresh,
                            struct keyring *keyring, struct buffer *error)
{
	if (!set_limits(server, fresh, error)) {
		keyring_free(keyring);
		return false;
	}
	access_use_keys(server->access, &server->settings->auth, keyring);
	set_patience(server, fresh);
	set_head_limit(fresh);
	/* It may be longer than what is allowed now, and whose it is has to be
	 * asked again. */
	request_memo_forget(&server->memo, &server->users);
	return true;
}

static void stop_listening(struct server *server)
{
	pause_accepting(server, false);
	for (size_t i = 0; i < server->listener_count; i++) {
		ev_io_stop(server->loop, &server->listeners[i].io);
		endpoint_close(&server->listeners[i].endpoint);
	}
	server->listener_count = 0;
}

void server_release(struct server *server)
{
	stop_listening(server);
	while (!list_is_empty(&server->connections))
		connection_close(LIST_OWNER(server->connections.next,
		                            struct connection, all));
	free_dead(server);
	verifier_stop(server->verifier);
	request_memo_forget(&server->memo, &server->users);
	users_release(&server->users);
	buffer_release(&server->spare);
	free_headers(server);
	ev_timer_stop(server->loop, &server->ticks);
	ev_check_stop(server->loop, &server->turn);
	poller_release(&server->poller);
	ev_timer_stop(server->loop, &server->accept_again);
	ev_prepare_stop(server->loop, &server->ending);
	ev_timer_stop(server->loop, &server->share);
	free(server->listeners);
}

static void accept_backlog(struct server *server)
{
	for (size_t i = 0; i < server->listener_count; i++) {
		struct listener *listener = &server->listeners[i];
		size_t before;

		do {
			if (listener->endpoint.outlives_us)
				break;
			before = server->count;
			accept_some(server->loop, &listener->io, 0);
		} while (server->accepting && server->count > before);
	}
}

static size_t count_waiting(const struct server *server)
{
	const struct list *all = &server->connections;
	size_t count = 0;

	for (const struct list *at = all->next; at != all; at = at->next)
		switch (LIST_OWNER(at, struct connection, all)->state) {
		case CONNECTION_VERIFYING: /* if it is let in */
		case CONNECTION_WAITING:
			count++;
			break;
		default:
			break;
		}
	return count;
}

void server_drain(struct server *server)
{
	struct list members;

	accept_backlog(server);
	stop_listening(server);
	server->draining = true;
	hub_drain(server->hub, count_waiting(server));
	list_init(&members);
	list_append_all(&members, &server->connections);
	while (!list_is_empty(&members)) {
		struct list *link = members.next;

		list_append(&server->connections, link);
		connection_drain(LIST_OWNER(link, struct connection, all));
	}
}

void server_set_deadline(struct server *server, struct connection *c,
                         enum deadline_kind kind)
{
	deadline_set(&server->deadlines, &c->deadline,
	             server->now_ms + server->patience_ms[kind]);
}
