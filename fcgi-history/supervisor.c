#include "supervisor.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "os/thread.h"

enum { EVENTS_MAX = 64 };

struct supervisor {
	int place, wake;
	struct slow_peers *peers;
	struct concurrency *concurrency;
	pthread_t thread;
};

static void handle(struct supervisor *supervisor, const struct epoll_event *event)
{
	eventfd_t ignored;

	if (event->data.ptr == NULL)
		eventfd_read(supervisor->wake, &ignored);
	else
		slow_peers_handle(supervisor->peers, event->data.ptr);
}

/* -1 is never. */
static int sooner(int a_ms, int b_ms)
{
	if (a_ms < 0 || b_ms < 0)
		return a_ms < 0 ? b_ms : a_ms;
	return a_ms < b_ms ? a_ms : b_ms;
}

static void *supervise(void *argument)
{
	struct supervisor *supervisor = argument;
	struct epoll_event events[EVENTS_MAX];
	int wait_ms = -1;

	while (!slow_peers_is_over(supervisor->peers)) {
		int found = epoll_wait(supervisor->place, events, EVENTS_MAX,
		                       wait_ms);

		for (int i = 0; i < found; i++) {
			handle(supervisor, &events[i]);
			concurrency_watch(supervisor->concurrency,
			                  clock_monotonic_us());
		}
		wait_ms = slow_peers_look(supervisor->peers);
		wait_ms = sooner(wait_ms,
		                 concurrency_watch(supervisor->concurrency,
		                                   clock_monotonic_us()));
	}
	return NULL;
}

static void supervisor_free(struct supervisor *supervisor)
{
	if (supervisor->peers != NULL)
		slow_peers_free(supervisor->peers);
	concurrency_free(supervisor->concurrency);
	if (supervisor->place >= 0)
		close(supervisor->place);
	if (supervisor->wake >= 0)
		close(supervisor->wake);
	free(supervisor);
}

static bool open_place(struct supervisor *supervisor)
{
	struct epoll_event event = {.events = EPOLLIN};

	supervisor->place = epoll_create1(EPOLL_CLOEXEC);
	supervisor->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return supervisor->place >= 0 && supervisor->wake >= 0 &&
	       epoll_ctl(supervisor->place, EPOLL_CTL_ADD, supervisor->wake,
	                 &event) == 0;
}

struct supervisor *supervisor_start(const struct slow_peers_plan *plan,
                                    size_t limit, size_t workers,
                                    struct buffer *error)
{
	struct supervisor *supervisor = memory_get(sizeof *supervisor);
	struct slow_peers_plan placed = *plan;

	if (!open_place(supervisor)) {
		buffer_printf(error, "can't wait for peers: %s", strerror(errno));
		supervisor_free(supervisor);
		return NULL;
	}
	placed.place = supervisor->place;
	placed.wake = supervisor->wake;
	supervisor->peers = slow_peers_new(&placed);
	supervisor->concurrency =
		concurrency_new(limit, workers, supervisor->wake);
	supervisor->thread = thread_start(supervise, supervisor);
	return supervisor;
}

struct slow_peers *supervisor_peers(struct supervisor *supervisor)
{
	return supervisor->peers;
}

struct concurrency *supervisor_concurrency(struct supervisor *supervisor)
{
	return supervisor->concurrency;
}

void supervisor_finish(struct supervisor *supervisor)
{
	slow_peers_end_readers(supervisor->peers);
	pthread_join(supervisor->thread, NULL);
	supervisor_free(supervisor);
}
