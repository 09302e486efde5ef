/* longroom-pushd: gives new messages to whoever waits for them.
 *
 * One event loop; a second thread reads the log. The hub knows who waits for
 * what, the follower feeds it, the server talks to the clients. */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/access.h"
#include "base/journal.h"
#include "hub/follower.h"
#include "os/descriptors.h"
#include "os/inherited.h"
#include "program/command_line.h"
#include "server.h"

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
	struct server server;
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
static void drain(struct ev_loop *loop, struct ev_signal *signal, int events)
{
	struct pushd *pushd = signal->data;

	(void)events;
	if (pushd->server.draining) {
		ev_break(loop, EVBREAK_ALL);
		return;
	}
	journal_info("ending: answering who waits");
	ev_timer_set(&pushd->too_long,
	             (double)pushd->settings.limits.write_timeout / 1000.0, 0.0);
	ev_timer_start(loop, &pushd->too_long);
	server_drain(&pushd->server);
}

/* All on the loop's thread: nobody else looks at the settings. */
static void read_settings_again(struct ev_loop *loop, struct ev_signal *signal,
                                int events)
{
	struct pushd *pushd = signal->data;
	struct buffer error = {0};
	struct keyring *keyring;
	struct settings fresh;

	(void)loop;
	(void)events;
	if (pushd->server.draining ||
	    !command_line_read_again(pushd->argc, pushd->argv, program,
	                             &pushd->settings, &fresh, &keyring))
		return;
	if (!server_change_settings(&pushd->server, &fresh, keyring, &error)) {
		complain(&error);
		journal_error("the settings stay as they were");
		settings_release(&fresh);
		return;
	}
	settings_release(&pushd->settings);
	pushd->settings = fresh;
	hub_set_limits(&pushd->hub, pushd->settings.push.window,
	               pushd->settings.limits.reads);
}

/* SIGHUP is kept back from the first moment on, until it can be heeded. */
static void mask_hang_up(int how)
{
	sigset_t hang_up;

	sigemptyset(&hang_up);
	sigaddset(&hang_up, SIGHUP);
	pthread_sigmask(how, &hang_up, NULL);
}

static void catch_signals(struct pushd *pushd)
{
	signal(SIGPIPE, SIG_IGN);
	ev_signal_init(&pushd->term, drain, SIGTERM);
	ev_signal_init(&pushd->interrupt, drain, SIGINT);
	ev_signal_init(&pushd->hang_up, read_settings_again, SIGHUP);
	pushd->term.data = pushd->interrupt.data = pushd->hang_up.data = pushd;
	ev_signal_start(pushd->loop, &pushd->term);
	ev_signal_start(pushd->loop, &pushd->interrupt);
	ev_signal_start(pushd->loop, &pushd->hang_up);
	mask_hang_up(SIG_UNBLOCK);
	ev_init(&pushd->too_long, give_up);
}

static void run(struct pushd *pushd)
{
	catch_signals(pushd);
	pushd->follower = follower_start(pushd->loop, &pushd->hub, pushd->reader,
	                                 pushd->bus);
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

	hub_init(&pushd->hub, &options, pushd->reader, &connection_waits);
}

static int serve(struct pushd *pushd)
{
	const struct settings *settings = &pushd->settings;
	struct buffer error = {0};
	int status = EXIT_SUCCESS;

	/* Before libraries are asked that abort where there are too few. */
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
	if (server_init(&pushd->server, pushd->loop, settings, pushd->inherited,
	                &pushd->hub, pushd->access, &error))
		run(pushd);
	else
		status = complain(&error);
	server_release(&pushd->server);
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
	status = serve(&pushd);
	if (pushd.loop != NULL)
		ev_loop_destroy(pushd.loop);
	access_free(pushd.access);
	settings_release(&pushd.settings);
	return status;
}
