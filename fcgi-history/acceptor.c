#include "acceptor.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "endpoint.h"
#include "journal.h"

enum {
	RETRY_MS = 100,         /* when no descriptor is left */
	ACCEPTS_PER_TURN = 256, /* then signals have their turn */
	PEER_SECONDS = 10,      /* a web server that is silent so long is gone */
};

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

static void change_mask(int how)
{
	sigset_t ours;

	sigemptyset(&ours);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGINT);
	pthread_sigmask(how, &ours, NULL);
}

void acceptor_catch_signals(void)
{
	handle(SIGTERM, stop);
	handle(SIGINT, stop);
	handle(SIGHUP, SIG_IGN);
	handle(SIGPIPE, SIG_IGN);
	/* Blocked but within pselect(), so that none comes between looking at
	 * `stopping` and waiting. */
	change_mask(SIG_BLOCK);
}

enum turn {
	TURN_DONE,  /* nobody is left to accept */
	TURN_OVER,  /* there may be more */
	TURN_STUCK, /* no descriptor or memory is left */
};

/* Lets signals in, and waits for a connection; a moment if that can't be
 * accepted now, and not at all if there may be more already. */
static void wait_for_work(int listener, enum turn turn)
{
	static const struct timespec moment = {0, RETRY_MS * 1000000L}, none = {0, 0};
	sigset_t no_signals;
	fd_set readable;

	sigemptyset(&no_signals);
	FD_ZERO(&readable);
	if (turn != TURN_STUCK)
		FD_SET(listener, &readable);
	pselect(listener + 1, &readable, NULL, NULL,
	        turn == TURN_DONE   ? NULL
	        : turn == TURN_OVER ? &none
	                            : &moment,
	        &no_signals);
}

/* One that sends nothing is not to hold a worker for ever. */
static void set_patience(int connection)
{
	static const struct timeval patience = {PEER_SECONDS, 0};

	setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience,
	           sizeof patience);
	setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &patience,
	           sizeof patience);
}

static enum turn accept_some(int listener, struct connections *connections)
{
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int connection = accept(listener, NULL, NULL);

		if (connection >= 0) {
			set_patience(connection);
			connections_put(connections, connection);
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			return TURN_DONE;
		} else if (!endpoint_is_passing(errno)) {
			return TURN_STUCK;
		}
	}
	return TURN_OVER;
}

void acceptor_run(int listener, struct connections *connections)
{
	enum turn before = TURN_DONE, turn;

	while (!stopping) {
		turn = accept_some(listener, connections);
		if (turn == TURN_STUCK && before != TURN_STUCK)
			journal_warning("can't accept: %s; trying again",
			                strerror(errno));
		before = turn;
		wait_for_work(listener, turn);
	}
	while (accept_some(listener, connections) == TURN_OVER)
		;
	/* Who asks twice does not want to wait for what is under way. */
	handle(SIGTERM, SIG_DFL);
	handle(SIGINT, SIG_DFL);
	change_mask(SIG_UNBLOCK);
}
