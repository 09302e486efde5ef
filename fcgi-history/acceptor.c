#include "acceptor.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "journal.h"
#include "memory.h"
#include "thread.h"

enum {
	RETRY_MS = 100, /* when no descriptor is left */
	ACCEPTS_PER_TURN = 256,
	PEER_SECONDS = 10, /* a web server that is silent so long is gone */
};

struct acceptor {
	pthread_t thread;
	const struct endpoint *endpoint;
	struct connections *connections;
	int stop[2]; /* a pipe: readable when it is time to stop */
};

/* One that sends nothing is not to hold a worker for ever. */
static void set_patience(int connection)
{
	static const struct timeval patience = {PEER_SECONDS, 0};

	setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience,
	           sizeof patience);
	setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &patience,
	           sizeof patience);
}

/* Accepts what is there, and then lets others speak. False: no descriptor or
 * memory is left. */
static bool accept_some(struct acceptor *acceptor)
{
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int connection = accept(acceptor->endpoint->fd, NULL, NULL);

		if (connection >= 0) {
			set_patience(connection);
			connections_put(acceptor->connections, connection);
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			return true;
		} else if (!endpoint_is_passing(errno)) {
			return false;
		}
	}
	return true;
}

/* Waits for a connection, or, if none can be accepted now, a moment. False: it
 * is time to stop. */
static bool wait_for_connection(struct acceptor *acceptor, bool can_accept)
{
	struct pollfd waited[] = {
		{.fd = acceptor->stop[0], .events = POLLIN},
		{.fd = acceptor->endpoint->fd, .events = POLLIN},
	};

	poll(waited, can_accept ? 2 : 1, can_accept ? -1 : RETRY_MS);
	return waited[0].revents == 0;
}

static bool has_backlog(const struct acceptor *acceptor)
{
	struct pollfd listener = {.fd = acceptor->endpoint->fd,
	                          .events = POLLIN};

	return poll(&listener, 1, 0) > 0;
}

static void *accept_until_stopped(void *argument)
{
	struct acceptor *acceptor = argument;
	bool could_accept = true;

	for (;;) {
		bool can_accept = accept_some(acceptor);

		if (!can_accept && could_accept)
			journal_warning("can't accept: %s; trying again",
			                strerror(errno));
		could_accept = can_accept;
		if (!wait_for_connection(acceptor, can_accept))
			break;
	}
	while (!acceptor->endpoint->outlives_us && has_backlog(acceptor) &&
	       accept_some(acceptor))
		;
	return NULL;
}

struct acceptor *acceptor_start(const struct endpoint *endpoint,
                                struct connections *connections)
{
	struct acceptor *acceptor = memory_get(sizeof *acceptor);

	acceptor->endpoint = endpoint;
	acceptor->connections = connections;
	if (pipe(acceptor->stop) != 0) {
		journal_error("can't make a pipe: %s", strerror(errno));
		abort();
	}
	acceptor->thread = thread_start(accept_until_stopped, acceptor);
	return acceptor;
}

void acceptor_stop(struct acceptor *acceptor)
{
	close(acceptor->stop[1]);
	pthread_join(acceptor->thread, NULL);
	close(acceptor->stop[0]);
	free(acceptor);
}
