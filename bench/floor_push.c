/* The floor for pushing: the smallest program that keeps waiters and answers
 * them, against which longroom-pushd is measured.
 *
 *     floor-push ADDRESS...        unix:/path or host:port
 *
 * A delivery costs one recv, one send and a share of an epoll_wait: a
 * connection is given to epoll once, edge-triggered, and never again. It speaks
 * just enough of PROTOCOL for longroom-load to check every delivery: a GET
 * parks, unless its cursor is behind the last message; a POST is answered and
 * goes to all parked clients. One room, one message, no timeouts, no limits, no
 * HTTP except what longroom-load and nginx send in one piece. Anything else
 * ends it: a floor that limps would flatter Longroom. */
#define _GNU_SOURCE 1 /* accept4 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "floor_message.h"
#include "os/descriptors.h"
#include "os/endpoint.h"

enum {
	LISTENERS_MAX = 8,
	EVENTS_AT_ONCE = 1024,
	RECEIVE_BYTES = 64 * 1024,
};

struct floor {
	int epoll;
	struct endpoint listeners[LISTENERS_MAX];
	int listener_count;
	int *parked; /* descriptors of the waiters */
	size_t parked_count;
	int64_t newest;       /* the last message's id */
	struct buffer answer; /* to all waiters */
	struct buffer page, scratch;
};

static void give_up(const char *why)
{
	fprintf(stderr, "floor-push: %s: %s\n", why, strerror(errno));
	exit(1);
}

static void add_head(struct buffer *b, const char *status, size_t size)
{
	buffer_printf(b,
	              "HTTP/1.1 %s\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
	              "Content-Type: application/json\r\nContent-Length: %zu\r\n"
	              "Cache-Control: no-store\r\n\r\n",
	              status, size);
}

static void send_to(int fd, const struct buffer *answer)
{
	ssize_t sent = send(fd, answer->data, answer->size, MSG_NOSIGNAL);

	/* epoll reports a client that left; it is closed then. */
	if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
		return;
	if (sent != (ssize_t)answer->size)
		give_up("an answer does not fit a socket");
}

/* Makes `answer` from the scratch buffer. */
static void wrap(struct floor *floor, struct buffer *answer, const char *status)
{
	buffer_clear(answer);
	add_head(answer, status, floor->scratch.size);
	buffer_add_text(answer, buffer_text(&floor->scratch));
	buffer_clear(&floor->scratch);
}

static void deliver(struct floor *floor)
{
	for (size_t i = 0; i < floor->parked_count; i++)
		send_to(floor->parked[i], &floor->answer);
	floor->parked_count = 0;
}

static void post(struct floor *floor, int fd, struct text target,
                 struct text body)
{
	struct text room = floor_room(target);

	floor->newest++;
	floor_add_message(&floor->scratch, room, floor->newest, body);
	wrap(floor, &floor->page, "201 Created");
	send_to(fd, &floor->page);
	floor_add_page(&floor->scratch, room, floor->newest, body);
	wrap(floor, &floor->answer, "200 OK");
	deliver(floor);
}

static void get(struct floor *floor, int fd, struct text target)
{
	int64_t after = floor_after(target);

	if (after == floor->newest) {
		floor->parked[floor->parked_count++] = fd;
	} else if (after >= 0) {
		send_to(fd, &floor->answer);
	} else {
		floor_add_page(&floor->scratch, floor_room(target),
		               floor->newest, (struct text){"", 0});
		wrap(floor, &floor->page, "200 OK");
		send_to(fd, &floor->page);
	}
}

static void handle(struct floor *floor, int fd, struct text request)
{
	const char *line_end = memchr(request.data, '\r', request.size);
	const char *head_end = memmem(request.data, request.size, "\r\n\r\n", 4);

	if (head_end == NULL)
		give_up("a request did not come in one piece");
	struct text target = {request.data, (size_t)(line_end - request.data)};
	const char *body = head_end + 4;

	if (request.data[0] == 'P')
		post(floor, fd, target,
		     (struct text){body, request.size -
		                                 (size_t)(body - request.data)});
	else
		get(floor, fd, target);
}

static void leave(struct floor *floor, int fd)
{
	for (size_t i = 0; i < floor->parked_count; i++)
		if (floor->parked[i] == fd)
			floor->parked[i] = floor->parked[--floor->parked_count];
	close(fd);
}

static void receive(struct floor *floor, int fd)
{
	char data[RECEIVE_BYTES];
	ssize_t size = recv(fd, data, sizeof data, 0);

	if (size > 0)
		handle(floor, fd, (struct text){data, (size_t)size});
	else if (size == 0 || errno != EAGAIN)
		leave(floor, fd);
}

static void watch(const struct floor *floor, int fd)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.fd = fd};

	if (epoll_ctl(floor->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		give_up("epoll_ctl");
}

static void accept_all(const struct floor *floor, int listener)
{
	for (;;) {
		int fd = accept4(listener, NULL, NULL,
		                 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0)
			watch(floor, fd);
		else if (errno == EAGAIN)
			return;
		else if (!accept_error_is_transient(errno))
			give_up("accept");
	}
}

static bool is_listener(const struct floor *floor, int fd)
{
	for (int i = 0; i < floor->listener_count; i++)
		if (floor->listeners[i].fd == fd)
			return true;
	return false;
}

static void listen_on(struct floor *floor, const char *address)
{
	struct buffer error = {0};

	if (floor->listener_count == LISTENERS_MAX ||
	    !endpoint_open(&floor->listeners[floor->listener_count], address,
	                   &error)) {
		fprintf(stderr, "floor-push: can't listen: %.*s\n",
		        TEXT_ARGS(buffer_text(&error)));
		exit(2);
	}
	watch(floor, floor->listeners[floor->listener_count++].fd);
}

static void serve(struct floor *floor)
{
	struct epoll_event events[EVENTS_AT_ONCE];

	for (;;) {
		int count = epoll_wait(floor->epoll, events, EVENTS_AT_ONCE, -1);

		for (int i = 0; i < count; i++) {
			int fd = events[i].data.fd;

			if (is_listener(floor, fd))
				accept_all(floor, fd);
			else
				receive(floor, fd);
		}
	}
}

/* It holds nothing that must be kept. */
static void end(int signal)
{
	(void)signal;
	_exit(0);
}

int main(int argc, char **argv)
{
	struct floor floor = {.epoll = epoll_create1(EPOLL_CLOEXEC)};
	size_t descriptors = descriptors_raise_limit();

	if (argc < 2) {
		fputs("usage: floor-push ADDRESS...\n", stderr);
		return 2;
	}
	signal(SIGTERM, end);
	floor.parked = memory_get(descriptors * sizeof *floor.parked);
	for (int i = 1; i < argc; i++)
		listen_on(&floor, argv[i]);
	serve(&floor);
}
