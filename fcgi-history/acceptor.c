#include "acceptor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>

#include "journal.h"

enum { RETRY_MS = 100 }; /* when no descriptor is left */

static volatile sig_atomic_t stopping;

static void stop(int signal)
{
	(void)signal;
	stopping = 1;
}

static void handle(int signal, void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler};

	sigaction(signal, &action, NULL);
}

void acceptor_catch_signals(void)
{
	sigset_t ours;

	handle(SIGTERM, stop);
	handle(SIGINT, stop);
	handle(SIGHUP, SIG_IGN);
	handle(SIGPIPE, SIG_IGN);
	/* Blocked but within pselect(), so that none comes between looking at
	 * `stopping` and waiting. */
	sigemptyset(&ours);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGINT);
	pthread_sigmask(SIG_BLOCK, &ours, NULL);
}

/* Waits for a connection or a signal; at most RETRY_MS without looking at the
 * listener if that can't be accepted from now. */
static void wait_for_work(int listener, bool can_accept)
{
	static const struct timespec retry = {0, RETRY_MS * 1000000L};
	sigset_t none;
	fd_set readable;

	sigemptyset(&none);
	FD_ZERO(&readable);
	if (can_accept)
		FD_SET(listener, &readable);
	pselect(listener + 1, &readable, NULL, NULL, can_accept ? NULL : &retry,
	        &none);
}

static bool is_passing(int error)
{
	return error == EINTR || error == ECONNABORTED;
}

/* Accepts all that is there. False: no descriptor or memory is left. */
static bool accept_all(int listener, struct connections *connections)
{
	for (;;) {
		int connection = accept(listener, NULL, NULL);

		if (connection >= 0)
			connections_put(connections, connection);
		else if (errno == EAGAIN || errno == EWOULDBLOCK)
			return true;
		else if (!is_passing(errno))
			return false;
	}
}

void acceptor_run(int listener, struct connections *connections)
{
	bool could_accept = true;

	while (!stopping) {
		bool can_accept = accept_all(listener, connections);

		if (!can_accept && could_accept)
			journal_warning("can't accept: %s; trying again",
			                strerror(errno));
		could_accept = can_accept;
		wait_for_work(listener, can_accept);
	}
	accept_all(listener, connections);
}
