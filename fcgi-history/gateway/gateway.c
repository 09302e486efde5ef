/* memfd_create(), which is Linux's, as epoll is. */
#define _GNU_SOURCE

#include "gateway/gateway.h"

#include <fcgiapp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"

enum {
	/* A new connection has room for so much, and one that is writable for a
	 * piece (with the library's own 8 KiB), as it has SEND_BUFFER_BYTES
	 * (intake.c): a unix socket is if three quarters are free, one of TCP if a
	 * third is, and what is written in pieces of 8 KiB counts twice. */
	UNCHECKED_BYTES = 32 * 1024,
	PIECE_BYTES = 16 * 1024,
};

struct gateway {
	bool is_cgi;
	int connection;
	int feed; /* that it has for itself; -1: none */
	size_t unchecked; /* bytes that may be written without a look */
	FCGX_Request request;
};

void gateway_init(void)
{
	FCGX_Init();
}

bool gateway_has_listener(void)
{
	return !FCGX_IsCGI();
}

struct gateway *gateway_new(void)
{
	struct gateway *g = memory_get(sizeof *g);

	FCGX_InitRequest(&g->request, -1, 0);
	g->request.ipcFd = -1;
	g->feed = -1;
	return g;
}

void gateway_free(struct gateway *g)
{
	FCGX_Free(&g->request, 1);
	free(g);
}

int gateway_feed_new(void)
{
	return memfd_create("longroom-feed", MFD_CLOEXEC);
}

static bool write_all(int fd, struct text data)
{
	while (data.size > 0) {
		ssize_t written = write(fd, data.data, data.size);

		if (written <= 0)
			return false;
		data.data += written;
		data.size -= (size_t)written;
	}
	return true;
}

/* Nothing of the request before is left behind this one. */
static bool fill(int feed, struct text input)
{
	return lseek(feed, 0, SEEK_SET) == 0 && write_all(feed, input) &&
	       ftruncate(feed, (off_t)input.size) == 0 &&
	       lseek(feed, 0, SEEK_SET) == 0;
}

/* By itself libfcgi accepts in every thread, and then waits for each piece of a
 * request. A peer that sends slowly, or never, would block the thread. So a request
 * is taken only once it is complete (intake.h), and the library reads it from a
 * file, which it takes for a connection that was kept open: ipcFd is set,
 * keepConnection stops FCGX_Accept_r() from closing it, and listen_sock is -1, so
 * that the library can't accept another one. The file is detached, so that it is not
 * treated as a socket after an error. The answer's connection is set later, in
 * gateway_end_input(). */
static bool gateway_accept_from(struct gateway *g, int *feed)
{
	g->request.ipcFd = *feed;
	g->request.keepConnection = 1;
	FCGX_Detach(&g->request);
	if (FCGX_Accept_r(&g->request) == 0)
		return true;
	*feed = -1; /* it was closed */
	return false;
}

bool gateway_accept(struct gateway *g, int *feed, struct text input,
                    int connection)
{
	if (*feed < 0)
		*feed = gateway_feed_new();
	if (*feed < 0 || !fill(*feed, input) || !gateway_accept_from(g, feed)) {
		close(connection);
		return false;
	}
	g->is_cgi = false;
	g->connection = connection;
	g->unchecked = UNCHECKED_BYTES;
	/* close_connection() closes it: there is one request a connection, even if
	 * the web server asks to keep it (fastcgi_keep_conn). */
	g->request.keepConnection = 1;
	return true;
}

void gateway_begin_cgi(struct gateway *g)
{
	g->is_cgi = true;
}

/* A faster FCGX_GetParam(), which calls a function for each comparison. A request
 * has more than a dozen headers, and as many are looked up. */
static const char *find_param(char **at, const char *name)
{
	size_t size = strlen(name);

	for (; *at != NULL; at++)
		if ((*at)[0] == name[0] && (*at)[1] == name[1] &&
		    strncmp(*at, name, size) == 0 && (*at)[size] == '=')
			return *at + size + 1;
	return NULL;
}

struct text gateway_variable(struct gateway *g, const char *name)
{
	const char *value = g->is_cgi ? getenv(name)
	                              : find_param(g->request.envp, name);

	return text_of(value);
}

bool gateway_has_twice(struct gateway *g, const char *name)
{
	size_t size = strlen(name), count = 0;

	if (g->is_cgi)
		return false;
	for (char **at = g->request.envp; *at != NULL; at++)
		if (strncmp(*at, name, size) == 0 && (*at)[size] == '=')
			count++;
	return count > 1;
}

static ssize_t read_some(struct gateway *g, char *data, size_t size)
{
	if (g->is_cgi)
		return read(STDIN_FILENO, data, size);
	return FCGX_GetStr(data, (int)size, g->request.in);
}

bool gateway_read(struct gateway *g, size_t size, struct buffer *b)
{
	while (size > 0) {
		ssize_t got = read_some(g, buffer_reserve(b, size), size);

		if (got <= 0)
			return false;
		b->size += (size_t)got;
		size -= (size_t)got;
	}
	return true;
}

void gateway_keep_feed(struct gateway *g, int *feed)
{
	if (g->feed >= 0)
		return;
	g->feed = *feed;
	*feed = -1;
}

void gateway_end_input(struct gateway *g)
{
	if (!g->is_cgi)
		g->request.ipcFd = g->connection;
	if (g->feed >= 0)
		close(g->feed);
	g->feed = -1;
}

int gateway_connection(const struct gateway *g)
{
	return g->connection;
}

static bool has_room(struct gateway *g)
{
	struct pollfd connection = {.fd = g->connection, .events = POLLOUT};

	if (g->unchecked == 0 && poll(&connection, 1, 0) > 0)
		g->unchecked = PIECE_BYTES;
	return g->unchecked > 0;
}

bool gateway_write(struct gateway *g, struct text data, size_t *at)
{
	if (g->is_cgi) {
		write_all(STDOUT_FILENO, data);
		*at = data.size;
	}
	while (*at < data.size && has_room(g)) {
		size_t size = data.size - *at;

		if (size > g->unchecked)
			size = g->unchecked;
		if (FCGX_PutStr(data.data + *at, (int)size, g->request.out) < 0)
			return true;
		*at += size;
		g->unchecked -= size;
	}
	return *at == data.size;
}

/* libfcgi would wait up to two seconds for the web server to close first. With
 * unread input, closing would send a reset that could overtake the answer. Here all
 * of the request was read, so there is no need to wait. After an error libfcgi has
 * already closed the connection. */
static void close_connection(struct gateway *g)
{
	if (g->request.ipcFd >= 0)
		close(g->request.ipcFd);
	g->request.ipcFd = -1;
}

void gateway_finish(struct gateway *g)
{
	if (g->is_cgi)
		return;
	FCGX_Finish_r(&g->request);
	close_connection(g);
}

/* The library's remaining output is discarded, without waiting. */
void gateway_abandon(struct gateway *g)
{
	shutdown(g->connection, SHUT_RDWR);
	gateway_finish(g);
}
