#include "gateway/listener.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/journal.h"
#include "base/memory.h"
#include "metrics/metrics.h"

/* Between looks, when no descriptor is left, or at the end. */
enum { PAUSE_MS = 10 };

struct listener {
	const struct endpoint *endpoint;
	int wake; /* counts how many are to wake up */
	int end;  /* readable when it is time to end, for all */
	atomic_int asleep;
	atomic_bool ended;
	atomic_bool exhausted; /* no descriptor was left the last time */
};

struct listener *listener_new(const struct endpoint *endpoint,
                              struct buffer *error)
{
	struct listener *listener = memory_get(sizeof *listener);

	listener->endpoint = endpoint;
	listener->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
	listener->end = eventfd(0, EFD_CLOEXEC);
	if (listener->wake >= 0 && listener->end >= 0)
		return listener;
	buffer_printf(error, "can't listen: %s", strerror(errno));
	listener_free(listener);
	return NULL;
}

void listener_free(struct listener *listener)
{
	if (listener == NULL)
		return;
	close(listener->wake);
	close(listener->end);
	free(listener);
}

static bool add_to_place(int place, int fd, uint32_t events, bool is_wake)
{
	struct epoll_event event = {.events = events, .data.u32 = is_wake};

	return epoll_ctl(place, EPOLL_CTL_ADD, fd, &event) == 0;
}

int listener_join(struct listener *listener, struct buffer *error)
{
	int place = epoll_create1(EPOLL_CLOEXEC);

	/* Exclusive: a connection wakes only one thread, always the first of those
	 * that sleep. So few threads do the work as long as few are enough. */
	if (place >= 0 &&
	    add_to_place(place, listener->endpoint->fd,
	                 EPOLLIN | EPOLLEXCLUSIVE, false) &&
	    add_to_place(place, listener->wake, EPOLLIN | EPOLLEXCLUSIVE, true) &&
	    add_to_place(place, listener->end, EPOLLIN, false))
		return place;
	buffer_printf(error, "can't wait for connections: %s", strerror(errno));
	if (place >= 0)
		close(place);
	return -1;
}

/* Logs it once. Other threads may free descriptors. */
static void note_exhaustion(struct listener *listener)
{
	if (!atomic_exchange(&listener->exhausted, true))
		journal_warning("can't accept: %s; trying again",
		                strerror(errno));
	metrics_add(METRIC_HISTORY_ACCEPT_PAUSES, 1);
}

int listener_accept(struct listener *listener)
{
	int connection;

	if (listener->endpoint->outlives_us && atomic_load(&listener->ended))
		return -1;
	do
		connection = accept(listener->endpoint->fd, NULL, NULL);
	while (connection < 0 && accept_error_is_transient(errno));
	if (connection < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
		note_exhaustion(listener);
	else if (atomic_load(&listener->exhausted))
		atomic_store(&listener->exhausted, false);
	return connection;
}

void listener_pause(void)
{
	poll(NULL, 0, PAUSE_MS);
}

static void sleep_at(struct listener *listener, int place)
{
	struct epoll_event event;
	eventfd_t ignored;

	if (epoll_wait(place, &event, 1, -1) > 0 && event.data.u32 == 1)
		eventfd_read(listener->wake, &ignored);
}

void listener_wait(struct listener *listener, int place,
                   bool (*is_idle)(void *context), void *context)
{
	/* The backlog, or the end, would wake it at once. */
	if (atomic_load(&listener->exhausted) || atomic_load(&listener->ended)) {
		listener_pause();
		return;
	}
	atomic_fetch_add(&listener->asleep, 1);
	if (is_idle(context))
		sleep_at(listener, place);
	atomic_fetch_sub(&listener->asleep, 1);
}

void listener_wake(struct listener *listener)
{
	if (atomic_load(&listener->asleep) > 0)
		eventfd_write(listener->wake, 1);
}

void listener_end(struct listener *listener)
{
	atomic_store(&listener->ended, true);
	eventfd_write(listener->end, 1);
}

bool listener_has_ended(struct listener *listener)
{
	return atomic_load(&listener->ended);
}
