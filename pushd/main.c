/* longroom-pushd: gives new messages to whoever waits for them.
 *
 * One event loop; a second thread reads the log. The hub knows who waits for
 * what, the follower feeds it, the server talks to the clients. */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "command_line.h"
#include "follower.h"
#include "journal.h"
#include "server.h"

static const char program[] = "longroom-pushd";

struct pushd {
	struct ev_loop *loop;
	struct log_reader *reader;
	struct bus *bus;
	struct hub hub;
	struct follower *follower;
	struct server server;
	struct ev_signal term, interrupt;
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
	ev_timer_start(loop, &pushd->too_long);
	server_drain(&pushd->server);
}

static void catch_signals(struct pushd *pushd, const struct settings *settings)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	ev_signal_init(&pushd->term, drain, SIGTERM);
	ev_signal_init(&pushd->interrupt, drain, SIGINT);
	pushd->term.data = pushd->interrupt.data = pushd;
	ev_signal_start(pushd->loop, &pushd->term);
	ev_signal_start(pushd->loop, &pushd->interrupt);
	ev_timer_init(&pushd->too_long, give_up,
	              (double)settings->limits_write_timeout / 1000.0, 0.0);
}

static void run(struct pushd *pushd, const struct settings *settings)
{
	catch_signals(pushd, settings);
	pushd->follower = follower_start(pushd->loop, &pushd->hub, pushd->reader,
	                                 pushd->bus);
	journal_info("serving; pid %ld", (long)getpid());
	ev_run(pushd->loop, 0);
	follower_stop(pushd->follower);
}

static int serve(struct pushd *pushd, const struct settings *settings)
{
	struct buffer error = {0};
	struct store *store = store_new(settings, STORE_READ, &error);
	int status = EXIT_SUCCESS;

	if (store == NULL)
		return complain(&error);
	pushd->bus = bus_subscribe_to(&settings->bus_subscribe, &error);
	if (pushd->bus == NULL) {
		store_free(store);
		return complain(&error);
	}
	pushd->reader = log_reader_start(pushd->loop, store);
	hub_init(&pushd->hub, settings->push_window, pushd->reader,
	         connection_answered);
	if (server_init(&pushd->server, pushd->loop, settings, &pushd->hub,
	                &error))
		run(pushd, settings);
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
	struct settings settings;
	struct pushd pushd = {0};
	int status;

	journal_name(program);
	if (!command_line_read(argc, argv, program, &settings, &status))
		return status;
	pushd.loop = ev_default_loop(EVFLAG_AUTO);
	status = serve(&pushd, &settings);
	ev_loop_destroy(pushd.loop);
	settings_release(&settings);
	return status;
}
