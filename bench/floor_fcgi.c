/* The floor for requests: an empty libfcgi program, against which
 * longroom-history is measured.
 *
 *     floor-fcgi SOCKET THREADS PAGE_BYTES
 *
 * Threads that do nothing but FCGX_Accept_r() on a unix socket. It reads the
 * body of a POST and answers it as Longroom answers 201 (the same size, with
 * the members that were sent, so that longroom-load can check it); a GET gets a
 * page of PAGE_BYTES, with the headers of a history. Nothing is parsed or
 * stored. */
#include <fcgiapp.h>
#include <stdatomic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "floor_message.h"
#include "os/endpoint.h"
#include "os/thread.h"

enum {
	THREADS_MAX = 1024,
	PAGE_MAX = 1 << 20,
	BODY_MAX = 64 * 1024,
	HEAD_MAX = 512,
};

static int listener;
static struct text page;
static atomic_int_fast64_t newest;

static struct text variable(FCGX_Request *request, const char *name)
{
	return text_of(FCGX_GetParam(name, request->envp));
}

static struct text read_body(FCGX_Request *request, char *body)
{
	int size = 0, got;

	while ((got = FCGX_GetStr(body + size, BODY_MAX - size, request->in)) > 0)
		size += got;
	return (struct text){body, (size_t)size};
}

static void write_head(FCGX_Request *request, const char *format, size_t size)
{
	char head[HEAD_MAX];
	int head_size = snprintf(head, sizeof head, format, size);

	FCGX_PutStr(head, head_size, request->out);
}

static void answer_post(FCGX_Request *request, struct buffer *b)
{
	char body[BODY_MAX];
	struct text room = floor_room(variable(request, "REQUEST_URI"));
	int64_t id = atomic_fetch_add(&newest, 1) + 1;

	buffer_clear(b);
	floor_add_message(b, room, id, read_body(request, body));
	buffer_add_string(b, "\n");
	write_head(request,
	           "Status: 201 Created\r\nContent-Type: application/json\r\n"
	           "Content-Length: %zu\r\n"
	           "Location: /rooms/room_1000000000/messages/1000000\r\n\r\n",
	           b->size);
	FCGX_PutStr(b->data, (int)b->size, request->out);
}

static void answer_get(FCGX_Request *request)
{
	write_head(request,
	           "Status: 200 OK\r\nContent-Type: application/json\r\n"
	           "Content-Length: %zu\r\n"
	           "Link: </rooms/room_1/messages?before=100&limit=10>; "
	           "rel=\"prev\"\r\n"
	           "ETag: W/\"f1004f10.1.1.100.109.00\"\r\n"
	           "Cache-Control: no-cache\r\n\r\n",
	           page.size);
	FCGX_PutStr(page.data, (int)page.size, request->out);
}

static void *serve(void *unused)
{
	struct buffer b = {0};
	FCGX_Request request;

	FCGX_InitRequest(&request, listener, 0);
	while (FCGX_Accept_r(&request) == 0) {
		if (text_is(variable(&request, "REQUEST_METHOD"), "POST"))
			answer_post(&request, &b);
		else
			answer_get(&request);
		FCGX_Finish_r(&request);
	}
	buffer_release(&b);
	return unused;
}

static int number(const char *text, int most)
{
	int number = atoi(text);

	if (number >= 1 && number <= most)
		return number;
	fprintf(stderr, "floor-fcgi: %s: from 1 to %d\n", text, most);
	exit(2);
}

/* It holds nothing that must be kept. */
static void end(int signal)
{
	(void)signal;
	_exit(0);
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fputs("usage: floor-fcgi SOCKET THREADS PAGE_BYTES\n", stderr);
		return 2;
	}
	int threads = number(argv[2], THREADS_MAX);

	page.size = (size_t)number(argv[3], PAGE_MAX);
	page.data = memset(memory_get(page.size), ' ', page.size);
	signal(SIGTERM, end);
	FCGX_Init();
	listener = FCGX_OpenSocket(argv[1], ENDPOINT_BACKLOG);
	if (listener < 0) {
		fprintf(stderr, "floor-fcgi: cannot listen on %s\n", argv[1]);
		return 2;
	}
	while (--threads > 0)
		thread_start(serve, NULL);
	serve(NULL);
	return 0;
}
