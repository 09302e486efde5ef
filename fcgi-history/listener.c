#include "listener.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "journal.h"
#include "memory.h"
#include "metrics.h"

enum {
	RETRY_MS = 100,    /* when no descriptor is left */
	PEER_SECONDS = 10, /* a web server that is silent so long is gone */
};

struct listener {
	const struct endpoint *endpoint;
	int end[2]; /* a pipe: readable when it is time to end */
	atomic_bool ended;
	atomic_bool exhausted; /* no descriptor was left the last time */
};

static void give_up(const char *what)
{
	journal_error("%s: %s", what, strerror(errno));
	abort();
}

struct listener *listener_new(const struct endpoint *endpoint)
{
	struct listener *listener = memory_get(sizeof *listener);

	listener->endpoint = endpoint;
	if (pipe(listener->end) != 0)
		give_up("can't make a pipe");
	return listener;
}

void listener_free(struct listener *listener)
{
	close(listener->end[0]);
	close(listener->end[1]);
	free(listener);
}

int listener_join(struct listener *listener)
{
	/* Exclusive: one connection wakes one thread, and always the first of
	 * those that sleep, so that few threads do all that few can do. */
	struct epoll_event connection = {.events = EPOLLIN | EPOLLEXCLUSIVE};
	struct epoll_event end = {.events = EPOLLIN};
	int place = epoll_create1(EPOLL_CLOEXEC);

	if (place < 0 ||
	    epoll_ctl(place, EPOLL_CTL_ADD, listener->endpoint->fd, &connection) != 0 ||
	    epoll_ctl(place, EPOLL_CTL_ADD, listener->end[0], &end) != 0)
		give_up("can't wait for connections");
	return place;
}

/* One that sends nothing is not to hold a worker for ever. */
static int with_patience(int connection)
{
	static const struct timeval patience = {PEER_SECONDS, 0};

	setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience,
	           sizeof patience);
	setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &patience,
	           sizeof patience);
	return connection;
}

/* Tells it once, and waits a moment: others may give descriptors back. */
static void wait_for_descriptors(struct listener *listener)
{
	struct pollfd end = {.fd = listener->end[0], .events = POLLIN};

	if (!atomic_exchange(&listener->exhausted, true))
		journal_warning("can't accept: %s; trying again",
		                strerror(errno));
	metrics_add(METRIC_HISTORY_ACCEPT_PAUSES, 1);
	poll(&end, 1, RETRY_MS);
}

int listener_accept(struct listener *listener, int place)
{
	struct epoll_event event;

	for (;;) {
		if (listener->endpoint->outlives_us &&
		    atomic_load(&listener->ended))
			return -1;
		int connection = accept(listener->endpoint->fd, NULL, NULL);

		if (connection >= 0) {
			if (atomic_load(&listener->exhausted))
				atomic_store(&listener->exhausted, false);
			return with_patience(connection);
		}
		if (endpoint_is_passing(errno))
			continue;
		if (atomic_load(&listener->ended))
			return -1;
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			epoll_wait(place, &event, 1, -1);
		else
			wait_for_descriptors(listener);
	}
}

void listener_end(struct listener *listener)
{
	atomic_store(&listener->ended, true);
	close(listener->end[1]);
	listener->end[1] = -1;
}
