/* longroom-pushd: gives new messages to the clients that wait for them.
 *
 * One event loop; a second thread reads the log. The hub has the waiters, and the
 * follower feeds it. The server has the connections, and passes their requests to
 * the polls. */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/access.h"
#include "base/journal.h"
#include "http/server.h"
#include "hub/follower.h"
#include "loop/share.h"
#include "os/descriptors.h"
#include "os/inherited.h"
#include "poll/requests.h"
#include "poll/telling.h"
#include "poll/waiting.h"
#include "presence/broadcast.h"
#include "program/command_line.h"
#include "program/listening.h"

static const char program[] = "longroom-pushd";

struct pushd {
	int argc;
	char **argv;
	struct settings settings;
	struct access *access;
	size_t inherited; /* listening sockets */
	struct ev_loop *loop;
	struct log_reader *reader;
	struct bus *bus;
	struct hub hub;
	struct follower *follower;
	struct polls polls;
	struct server server;
	struct share share;
	struct broadcast *broadcast;
	struct ev_signal term, interrupt, hang_up;
	struct ev_timer too_long;
};

static int complain(struct buffer *error)
{
	journal_error("%.*s", TEXT_ARGS(buffer_text(error)));
	buffer_release(error);
	return EXIT_FAILURE;
}

static void give_up(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)timer;
	(void)events;
	ev_break(loop, EVBREAK_ALL);
}

/* A second signal ends it at once. */
static void begin_draining(struct ev_loop *loop, struct ev_signal *signal,
                           int events)
{
	struct pushd *pushd = signal->data;

	(void)events;
	if (server_is_draining(&pushd->server)) {
		ev_break(loop, EVBREAK_ALL);
		return;
	}
	journal_info("shutting down: answering the waiting polls");
	ev_timer_set(&pushd->too_long,
	             (double)pushd->settings.limits.write_timeout / 1000.0, 0.0);
	ev_timer_start(loop, &pushd->too_long);
	broadcast_end(pushd->broadcast);
	server_drain(&pushd->server);
}

static struct http_options http_options(const struct settings *settings)
{
	const struct limits_settings *limits = &settings->limits;

	return (struct http_options){
		.max_connections = settings->push.max_connections,
		.head_bytes = limits->request_head,
		.unread_bytes = limits->unread,
		.idle_ms = limits->idle_timeout,
		.head_ms = limits->head_timeout,
		.write_ms = limits->write_timeout,
	};
}

/* Takes the keys. False: *error says why, and nothing has changed. */
static bool use_settings(struct pushd *pushd, const struct settings *fresh,
                         struct keyring *keyring, struct buffer *error)
{
	struct http_options options = http_options(fresh);

	if (!server_set_options(&pushd->server, &options, error)) {
		keyring_free(keyring);
		return false;
	}
	requests_extend_verifying(&pushd->polls,
	                          fresh->limits.head_timeout -
	                                  pushd->settings.limits.head_timeout);
	polls_change_settings(&pushd->polls, keyring);
	return true;
}

/* Runs on the loop's thread, the only one that uses the settings. */
static void pushd_reload(struct ev_loop *loop, struct ev_signal *signal,
                         int events)
{
	struct pushd *pushd = signal->data;
	struct buffer error = {0};
	struct keyring *keyring;
	struct settings fresh;

	(void)loop;
	(void)events;
	if (server_is_draining(&pushd->server) ||
	    !command_line_read_again(pushd->argc, pushd->argv, program,
	                             &pushd->settings, &fresh, &keyring))
		return;
	if (!use_settings(pushd, &fresh, keyring, &error)) {
		complain(&error);
		journal_error("reload failed, settings unchanged");
		settings_release(&fresh);
		return;
	}
	settings_release(&pushd->settings);
	pushd->settings = fresh;
	telling_use_limits(&pushd->polls);
	hub_set_limits(&pushd->hub, pushd->settings.push.window,
	               pushd->settings.limits.reads);
}

/* SIGHUP is blocked first of all, until it can be handled. */
static void mask_hang_up(int how)
{
	sigset_t hang_up;

	sigemptyset(&hang_up);
	sigaddset(&hang_up, SIGHUP);
	pthread_sigmask(how, &hang_up, NULL);
}

static void pushd_catch_signals(struct pushd *pushd)
{
	signal(SIGPIPE, SIG_IGN);
	ev_signal_init(&pushd->term, begin_draining, SIGTERM);
	ev_signal_init(&pushd->interrupt, begin_draining, SIGINT);
	ev_signal_init(&pushd->hang_up, pushd_reload, SIGHUP);
	pushd->term.data = pushd->interrupt.data = pushd->hang_up.data = pushd;
	ev_signal_start(pushd->loop, &pushd->term);
	ev_signal_start(pushd->loop, &pushd->interrupt);
	ev_signal_start(pushd->loop, &pushd->hang_up);
	mask_hang_up(SIG_UNBLOCK);
	ev_init(&pushd->too_long, give_up);
}

static void run(struct pushd *pushd)
{
	pushd_catch_signals(pushd);
	pushd->follower = follower_start(pushd->loop, &pushd->hub, pushd->reader,
	                                 pushd->bus);
	broadcast_hear(pushd->broadcast, pushd->follower);
	journal_info("serving; pid %ld", (long)getpid());
	ev_run(pushd->loop, 0);
	follower_stop(pushd->follower);
}

/* False: the store is freed. */
static bool is_worth_a_start(struct store *store)
{
	struct buffer found = {0};
	bool good = store_is_worth_a_start(store, &found);

	buffer_release(&found);
	if (!good)
		store_free(store);
	return good;
}

static void init_hub(struct pushd *pushd)
{
	const struct settings *settings = &pushd->settings;
	const struct hub_options options = {
		.window_bytes = settings->push.window,
		.reads = settings->limits.reads,
		.ephemeral = &settings->rooms.ephemeral,
	};

	hub_init(&pushd->hub, &options, pushd->reader, &waiting_handlers);
}

static bool open_endpoint(const struct pushd *pushd, size_t which,
                          struct endpoint *endpoint, struct buffer *error)
{
	const struct settings *settings = &pushd->settings;

	if (pushd->inherited > 0)
		return listening_inherit(settings, which, endpoint, error);
	return listening_open(settings, SETTING_push_listen,
	                      settings->push.listen.words[which], endpoint, error);
}

static bool listen_on_all(struct pushd *pushd, struct buffer *error)
{
	size_t count = pushd->inherited > 0 ? pushd->inherited
	                                    : pushd->settings.push.listen.count;
	struct endpoint endpoint;

	for (size_t i = 0; i < count; i++) {
		if (!open_endpoint(pushd, i, &endpoint, error))
			return false;
		server_listen(&pushd->server, endpoint);
	}
	return true;
}

static bool init_server(struct pushd *pushd, struct buffer *error)
{
	struct http_options options = http_options(&pushd->settings);

	polls_init(&pushd->polls, &pushd->settings, &pushd->hub, pushd->access,
	           &pushd->server, pushd->loop, requests_verified);
	telling_begin(&pushd->polls, pushd->loop);
	return server_init(&pushd->server, pushd->loop, &options,
	                   &requests_handlers, &pushd->polls, error) &&
	       listen_on_all(pushd, error);
}

static bool hub_has_share(const void *hub)
{
	return hub_needs_share(hub);
}

static bool go_on_with_hub(void *hub)
{
	return hub_go_on(hub);
}

static bool server_has_share(const void *server)
{
	return server_needs_share(server);
}

static bool go_on_with_server(void *server)
{
	return server_go_on(server);
}

static bool polls_have_share(const void *polls)
{
	return telling_needs_share(polls);
}

static bool go_on_with_polls(void *polls)
{
	return telling_go_on(polls);
}

static void init_share(struct pushd *pushd)
{
	share_init(&pushd->share, pushd->loop);
	share_add(&pushd->share,
	          (struct share_taker){hub_has_share, go_on_with_hub,
	                               &pushd->hub});
	share_add(&pushd->share,
	          (struct share_taker){server_has_share, go_on_with_server,
	                               &pushd->server});
	/* Off, it costs nothing: takers are asked in each turn. */
	if (pushd->settings.push.presence != PRESENCE_OFF)
		share_add(&pushd->share,
		          (struct share_taker){polls_have_share, go_on_with_polls,
		                               &pushd->polls});
}

static bool start_broadcast(struct pushd *pushd, struct buffer *error)
{
	const struct presence *presence = pushd->polls.presence;

	pushd->broadcast = broadcast_start(
		pushd->loop, presence != NULL ? presence->roster : NULL,
		pushd->settings.push.publish, error);
	return pushd->broadcast != NULL;
}

static int pushd_serve(struct pushd *pushd)
{
	const struct settings *settings = &pushd->settings;
	struct buffer error = {0};
	int status = EXIT_SUCCESS;

	/* Before using libraries that abort if there are too few descriptors. */
	if (!descriptors_require(server_least_descriptors(), &error) ||
	    !inherited_take(&pushd->inherited, &error))
		return complain(&error);
	pushd->loop = ev_default_loop(EVFLAG_AUTO);
	pushd->access = access_new(&settings->auth, &error);
	if (pushd->access == NULL)
		return complain(&error);
	struct store *store = store_new(&settings->store, STORE_READ, &error);
	if (store == NULL)
		return complain(&error);
	if (!is_worth_a_start(store))
		return EXIT_FAILURE;
	pushd->bus = bus_subscribe_to(&settings->bus.subscribe, &error);
	if (pushd->bus == NULL) {
		store_free(store);
		return complain(&error);
	}
	pushd->reader = log_reader_start(
		pushd->loop, store, bus_watch_new(&settings->bus.subscribe, NULL));
	init_hub(pushd);
	init_share(pushd);
	if (init_server(pushd, &error) && start_broadcast(pushd, &error))
		run(pushd);
	else
		status = complain(&error);
	broadcast_stop(pushd->broadcast);
	share_release(&pushd->share);
	server_release(&pushd->server);
	telling_end(&pushd->polls, pushd->loop);
	polls_release(&pushd->polls);
	log_reader_stop(pushd->reader);
	hub_release(&pushd->hub);
	bus_free(pushd->bus);
	return status;
}

int main(int argc, char **argv)
{
	struct pushd pushd = {.argc = argc, .argv = argv};
	int status;

	journal_name(program);
	mask_hang_up(SIG_BLOCK);
	if (!command_line_read(argc, argv, program, STORE_READ, &pushd.settings,
	                       &status))
		return status;
	status = pushd_serve(&pushd);
	if (pushd.loop != NULL)
		ev_loop_destroy(pushd.loop);
	access_free(pushd.access);
	settings_release(&pushd.settings);
	return status;
}
