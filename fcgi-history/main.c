/* longroom-history: saves messages and serves history.
 *
 * As a daemon it serves FastCGI: several threads accept and answer (worker.h), one
 * saves (writer.h), one watches over the workers (supervisor.h). Started by a web
 * server as a CGI program, it answers one request and exits. With --new-incarnation
 * it begins a new incarnation of the log. */
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/access.h"
#include "base/journal.h"
#include "cgi.h"
#include "cgi_arguments.h"
#include "incarnation.h"
#include "gateway/listener.h"
#include "live_settings.h"
#include "os/descriptors.h"
#include "os/inherited.h"
#include "program/command_line.h"
#include "program/listening.h"
#include "verbs/send_limits.h"
#include "workers.h"

static const char program[] = "longroom-history";

static sigset_t end_signals;

struct history {
	int argc;
	char **argv;
	struct live_settings *live;
	struct access *access;
	const struct settings *settings; /* as at the start */
	size_t inherited; /* listening sockets */
	struct endpoint endpoint;
};

enum {
	LISTENER_BY_PARENT = 0, /* FCGI_LISTENSOCK_FILENO of the FastCGI spec */
	/* Kept for the database, the bus, and standard streams. */
	RESERVED_DESCRIPTORS = 64,
	DESCRIPTORS_PER_THREAD = 6,
	MOST_REQUESTS = 8192, /* of about 30 KiB each, and its message */
	FEWEST_REQUESTS = 32,
};

static int fail(struct buffer *error)
{
	journal_error("%.*s", TEXT_ARGS(buffer_text(error)));
	buffer_release(error);
	return EXIT_FAILURE;
}

static size_t reserved_descriptors(const struct settings *settings)
{
	return RESERVED_DESCRIPTORS +
	       DESCRIPTORS_PER_THREAD * (size_t)settings->history.threads;
}

/* As many requests may be under way as there are descriptors. */
static size_t request_limit(const struct settings *settings)
{
	size_t limit = descriptors_raise_limit() - reserved_descriptors(settings);

	/* A request whose token is being verified takes two places, and a quarter of
	 * the requests may be. */
	if (settings->auth.mode == AUTH_TOKEN)
		limit -= limit / 5;
	return limit < MOST_REQUESTS ? limit : MOST_REQUESTS;
}

/* Signals are waited for, never handled: every thread has them blocked. SIGHUP is
 * blocked first of all. So a SIGHUP during the start takes effect after it, and does
 * nothing to a CGI program or during shutdown. */
static void block_hang_up(void)
{
	sigset_t hang_up;

	signal(SIGHUP, SIG_DFL);
	sigemptyset(&hang_up);
	sigaddset(&hang_up, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &hang_up, NULL);
}

static void history_catch_signals(void)
{
	signal(SIGPIPE, SIG_IGN);
	/* Ignored signals, as in a shell's background jobs, can't be waited for. */
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	sigemptyset(&end_signals);
	sigaddset(&end_signals, SIGTERM);
	sigaddset(&end_signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &end_signals, NULL);
}

static void history_reload(const struct history *history)
{
	struct keyring *keyring;
	struct settings fresh;

	if (command_line_read_again(history->argc, history->argv, program,
	                            history->settings, &fresh, &keyring))
		access_use_keys(history->access,
		                &live_settings_replace(history->live, &fresh)->auth,
		                keyring);
}

/* Returns at SIGTERM or SIGINT. A second one then kills the process. */
static void wait_for_end(const struct history *history)
{
	sigset_t signals = end_signals;
	int signal;

	sigaddset(&signals, SIGHUP);
	while (sigwait(&signals, &signal) == 0 && signal == SIGHUP)
		history_reload(history);
	pthread_sigmask(SIG_UNBLOCK, &end_signals, NULL);
}

static int serve_on(struct history *history, struct saver *saver)
{
	struct buffer error = {0};
	struct save_queue *saved = save_queue_new();
	struct writer *writer = writer_start(saver, saved);
	struct listener *listener = listener_new(&history->endpoint, &error);
	struct router_shared shared = {.live = history->live,
	                               .access = history->access,
	                               .sent = send_limits_new(),
	                               .is_daemon = true};
	struct workers_plan plan = {.settings = history->settings,
	                            .shared = &shared,
	                            .listener = listener,
	                            .writer = writer,
	                            .saved = saved};
	struct workers *workers = NULL;

	if (listener != NULL) {
		plan.request_limit = request_limit(history->settings);
		workers = workers_start(&plan, &error);
	}
	if (workers != NULL) {
		journal_info("serving; pid %ld", (long)getpid());
		wait_for_end(history);
		journal_info("shutting down: draining accepted requests");
		endpoint_withdraw(&history->endpoint);
		listener_end(listener);
		workers_join(workers);
	}
	endpoint_close(&history->endpoint);
	writer_stop(writer);
	if (workers != NULL)
		workers_finish(workers);
	listener_free(listener);
	save_queue_free(saved);
	send_limits_free(shared.sent);
	return workers != NULL ? EXIT_SUCCESS : fail(&error);
}

static bool open_listener(struct history *history, struct buffer *error)
{
	const struct settings *settings = history->settings;
	struct endpoint *endpoint = &history->endpoint;

	if (history->inherited > 0)
		return listening_inherit(settings, 0, endpoint, error);
	if (gateway_has_listener())
		return listening_adopt(settings, LISTENER_BY_PARENT,
		                       "standard input", endpoint, error);
	return listening_open(settings, SETTING_history_listen,
	                      settings->history.listen, endpoint, error);
}

static bool take_inherited(struct history *history, struct buffer *error)
{
	if (!inherited_take(&history->inherited, error))
		return false;
	if (history->inherited <= 1)
		return true;
	buffer_printf(error, "LISTEN_FDS: %zu sockets inherited, but %s accepts "
	              "only one", history->inherited, program);
	return false;
}

static int answer_as_cgi(const struct history *history)
{
	const struct router_shared shared = {.live = history->live,
	                                     .access = history->access};

	return cgi_answer(history->settings, &shared);
}

static int history_serve(struct history *history)
{
	const struct settings *settings = history->settings;
	struct buffer error = {0};
	struct saver *saver;

	if (!descriptors_require(reserved_descriptors(settings) + FEWEST_REQUESTS,
	                         &error) ||
	    !take_inherited(history, &error))
		return fail(&error);
	/* First of all: the bus starts threads of its own. */
	history_catch_signals();
	saver = saver_new(settings, settings->bus.publish, &error);
	if (saver == NULL)
		return fail(&error);
	if (!saver_start(saver)) {
		saver_free(saver);
		return EXIT_FAILURE;
	}
	int status = open_listener(history, &error)
	                     ? serve_on(history, saver)
	                     : fail(&error);
	/* Last of all: the last connection to close folds the database's side files
	 * into it, and only a writing connection can do that. */
	saver_free(saver);
	return status;
}

int main(int argc, char **argv)
{
	struct buffer error = {0};
	struct settings settings;
	bool is_cgi = cgi_is_asked();
	int status;

	journal_name(program);
	block_hang_up();
	if (is_cgi)
		argc = cgi_own_arguments(getenv("QUERY_STRING"), argc, argv);
	if (argc == 0)
		return cgi_refuse_query();
	/* Clients must not be able to do this. */
	bool begins_incarnation =
		!is_cgi && command_line_take_verb(&argc, argv, "--new-incarnation");
	if (!command_line_read(argc, argv, program, STORE_WRITE, &settings,
	                       &status))
		return status;
	/* Database and bus are for our user and group; the web server and
	 * longroom-pushd may be in that group. */
	umask(0007);
	if (begins_incarnation) {
		status = incarnation_begin(&settings);
		settings_release(&settings);
		return status;
	}
	gateway_init();
	struct history history = {
		.argc = argc,
		.argv = argv,
		.live = live_settings_new(&settings),
	};
	history.settings = live_settings_ref(history.live);
	history.access = access_new(&history.settings->auth, &error);
	status = history.access == NULL              ? fail(&error)
	         : !gateway_has_listener() && is_cgi ? answer_as_cgi(&history)
	                                             : history_serve(&history);
	access_free(history.access);
	live_settings_unref(history.live, history.settings);
	live_settings_free(history.live);
	return status;
}
