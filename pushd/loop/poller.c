#include "loop/poller.h"

#include <stdint.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "loop/turn.h"

/* Events fetched at once. The others stay in the kernel, in order, until the next
 * turn; so no fetched event can outlive its owner. */
enum { EVENTS_AT_ONCE = 32 };

/* The peer's end is always watched, whatever else is. */
static const uint32_t watched = EPOLLIN | EPOLLRDHUP;

static struct poller_signs read_signs(uint32_t events)
{
	bool is_broken = (events & (EPOLLHUP | EPOLLERR)) != 0;
	bool has_ended = is_broken || (events & EPOLLRDHUP) != 0;

	return (struct poller_signs){
		.can_read = has_ended || (events & EPOLLIN) != 0,
		.can_write = (events & EPOLLOUT) != 0,
		.has_ended = has_ended,
		.is_broken = is_broken,
	};
}

/* False: there are no more. */
static bool look_at_some(const struct poller *poller)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int count = epoll_wait(poller->io.fd, events, EVENTS_AT_ONCE, 0);

	for (int i = 0; i < count; i++) {
		struct poller_signs signs = read_signs(events[i].events);

		poller->ready(events[i].data.ptr, &signs);
	}
	return count == EVENTS_AT_ONCE;
}

static void poller_look(struct ev_loop *loop, struct ev_io *io, int what)
{
	const struct poller *poller = io->data;
	int64_t end_us = clock_monotonic_us() + TURN_US;

	(void)loop;
	(void)what;
	while (look_at_some(poller) && clock_monotonic_us() < end_us)
		;
}

bool poller_init(struct poller *poller, struct ev_loop *loop,
                 poller_ready *ready)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	*poller = (struct poller){.loop = loop, .ready = ready};
	ev_io_init(&poller->io, poller_look, epoll, EV_READ);
	poller->io.data = poller;
	if (epoll < 0)
		return false;
	ev_io_start(loop, &poller->io);
	return true;
}

void poller_release(struct poller *poller)
{
	if (poller->io.fd < 0)
		return;
	ev_io_stop(poller->loop, &poller->io);
	close(poller->io.fd);
}

static bool control(struct poller *poller, int how, int fd, void *owner,
                    uint32_t events)
{
	struct epoll_event event = {.events = events | EPOLLET};

	event.data.ptr = owner;
	return epoll_ctl(poller->io.fd, how, fd, &event) == 0;
}

bool poller_add(struct poller *poller, int fd, void *owner)
{
	return control(poller, EPOLL_CTL_ADD, fd, owner, watched);
}

void poller_watch_writing(struct poller *poller, int fd, void *owner,
                          bool writing)
{
	/* Modifying a watched descriptor cannot fail. */
	control(poller, EPOLL_CTL_MOD, fd, owner,
	        writing ? watched | EPOLLOUT : watched);
}
