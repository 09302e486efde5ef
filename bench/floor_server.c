#define _GNU_SOURCE 1 /* accept4 */
#include "floor_server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "os/descriptors.h"
#include "os/endpoint.h"

enum {
	LISTENERS_MAX = 8,
	EVENTS_AT_ONCE = 1024,
	RECEIVE_BYTES = 64 * 1024,
};

struct server {
	const struct floor_handlers *handlers;
	int epoll;
	struct endpoint listeners[LISTENERS_MAX];
	int listener_count;
};

static const char *program_name = "floor";

void floor_give_up(const char *why)
{
	fprintf(stderr, "%s: %s: %s\n", program_name, why, strerror(errno));
	exit(1);
}

int *floor_descriptors(void)
{
	return memory_get(descriptors_raise_limit() * sizeof(int));
}

void floor_wrap(struct buffer *answer, const char *status, struct buffer *body)
{
	buffer_clear(answer);
	buffer_printf(answer,
	              "HTTP/1.1 %s\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
	              "Content-Type: application/json\r\nContent-Length: %zu\r\n"
	              "Cache-Control: no-store\r\n\r\n",
	              status, body->size);
	buffer_add_text(answer, buffer_text(body));
	buffer_clear(body);
}

void floor_send(int fd, const struct buffer *answer)
{
	ssize_t sent = send(fd, answer->data, answer->size, MSG_NOSIGNAL);

	/* epoll reports a client that left; it is closed then. */
	if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
		return;
	if (sent != (ssize_t)answer->size)
		floor_give_up("an answer does not fit a socket");
}

size_t floor_drop(int *list, size_t count, int fd)
{
	for (size_t i = 0; i < count; i++)
		if (list[i] == fd)
			list[i] = list[--count];
	return count;
}

static void handle(const struct server *server, int fd, struct text request)
{
	const char *line_end = memchr(request.data, '\r', request.size);
	const char *head_end = memmem(request.data, request.size, "\r\n\r\n", 4);

	if (head_end == NULL)
		floor_give_up("a request did not come in one piece");
	struct text line = {request.data, (size_t)(line_end - request.data)};
	const char *body = head_end + 4;

	server->handlers->request(
		fd, line,
		(struct text){body, request.size - (size_t)(body - request.data)});
}

static void receive(const struct server *server, int fd)
{
	char data[RECEIVE_BYTES];
	ssize_t size = recv(fd, data, sizeof data, 0);

	if (size > 0) {
		handle(server, fd, (struct text){data, (size_t)size});
	} else if (size == 0 || errno != EAGAIN) {
		server->handlers->left(fd);
		close(fd);
	}
}

static void watch(const struct server *server, int fd)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.fd = fd};

	if (epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		floor_give_up("epoll_ctl");
}

static void accept_all(const struct server *server, int listener)
{
	for (;;) {
		int fd = accept4(listener, NULL, NULL,
		                 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0)
			watch(server, fd);
		else if (errno == EAGAIN)
			return;
		else if (!accept_error_is_transient(errno))
			floor_give_up("accept");
	}
}

static bool is_listener(const struct server *server, int fd)
{
	for (int i = 0; i < server->listener_count; i++)
		if (server->listeners[i].fd == fd)
			return true;
	return false;
}

static void listen_on(struct server *server, const char *address)
{
	struct buffer error = {0};

	if (server->listener_count == LISTENERS_MAX ||
	    !endpoint_open(&server->listeners[server->listener_count], address,
	                   &error)) {
		fprintf(stderr, "%s: can't listen: %.*s\n", program_name,
		        TEXT_ARGS(buffer_text(&error)));
		exit(2);
	}
	watch(server, server->listeners[server->listener_count++].fd);
}

static void serve(const struct server *server)
{
	struct epoll_event events[EVENTS_AT_ONCE];

	for (;;) {
		int count = epoll_wait(server->epoll, events, EVENTS_AT_ONCE, -1);

		for (int i = 0; i < count; i++) {
			int fd = events[i].data.fd;

			if (is_listener(server, fd))
				accept_all(server, fd);
			else
				receive(server, fd);
		}
	}
}

/* It holds nothing that must be kept. */
static void end(int signal)
{
	(void)signal;
	_exit(0);
}

int floor_serve(int argc, char **argv, const struct floor_handlers *handlers)
{
	struct server server = {
		.handlers = handlers,
		.epoll = epoll_create1(EPOLL_CLOEXEC),
	};

	program_name = handlers->program;
	if (argc < 2) {
		fprintf(stderr, "usage: %s ADDRESS...\n", program_name);
		return 2;
	}
	signal(SIGTERM, end);
	for (int i = 1; i < argc; i++)
		listen_on(&server, argv[i]);
	serve(&server);
	return 1;
}
