#include "gateway.h"

#include <fcgiapp.h>
#include <stdlib.h>
#include <unistd.h>

#include "memory.h"

struct gateway {
	bool is_cgi;
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
	return g;
}

void gateway_free(struct gateway *g)
{
	FCGX_Free(&g->request, 1);
	free(g);
}

/* libfcgi would rather accept by itself, in every thread. But then a connection
 * waits in the kernel's backlog until a thread is free, and when the backlog of
 * a unix socket is full the web server's connect() fails and its client gets a
 * 502. So one thread accepts (acceptor.h) and the library is made to believe
 * that this is a connection that it has kept: ipcFd is set, keepConnection
 * stops FCGX_Accept_r() from closing it, and listen_sock is -1 so that it can't
 * accept another one. From the request's head it learns whether it really is
 * to be kept; with fastcgi_keep_conn on it would be, and would then be closed
 * here, as this server wants one request a connection. */
bool gateway_accept(struct gateway *g, int connection)
{
	g->is_cgi = false;
	g->request.ipcFd = connection;
	g->request.keepConnection = 1;
	if (FCGX_Accept_r(&g->request) < 0)
		return false;
	/* Closing is ours too, see close_connection(). */
	g->request.keepConnection = 1;
	return true;
}

void gateway_begin_cgi(struct gateway *g)
{
	g->is_cgi = true;
}

/* FCGX_GetParam(), which compares each name by a call. There are a dozen headers
 * or more, and as many questions. */
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

void gateway_write(struct gateway *g, struct text data)
{
	if (!g->is_cgi) {
		FCGX_PutStr(data.data, (int)data.size, g->request.out);
		return;
	}
	while (data.size > 0) {
		ssize_t written = write(STDOUT_FILENO, data.data, data.size);

		if (written <= 0)
			return;
		data.data += written;
		data.size -= (size_t)written;
	}
}

/* libfcgi would wait for the web server to close first, up to two seconds, lest
 * what was not read be answered with a reset that overtakes the answer. All of
 * the request was read here, so there is nothing to wait for. If it has met an
 * error it has closed already. */
static void close_connection(struct gateway *g)
{
	if (g->request.ipcFd >= 0)
		close(g->request.ipcFd);
	g->request.ipcFd = -1;
}

/* The web server may still be sending the body; if it were cut off, it might
 * report that instead of our answer. */
void gateway_read_out(struct gateway *g)
{
	char waste[4096];

	if (g->is_cgi)
		return;
	while (FCGX_GetStr(waste, sizeof waste, g->request.in) > 0)
		;
}

void gateway_finish(struct gateway *g)
{
	if (g->is_cgi)
		return;
	FCGX_Finish_r(&g->request);
	close_connection(g);
}
