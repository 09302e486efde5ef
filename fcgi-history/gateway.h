/* Requests from a web server, over FastCGI or plain CGI (RFC 3875), and the
 * only file that knows libfcgi is gateway.c.
 *
 * A gateway belongs to one thread and has one request at a time: from
 * gateway_accept() or gateway_begin_cgi() to gateway_finish(). */
#ifndef LONGROOM_GATEWAY_H
#define LONGROOM_GATEWAY_H

#include "buffer.h"

struct gateway;

/* Once, before anything else. */
void gateway_init(void);

/* Whether descriptor 0 is a listening socket, as FastCGI's process managers
 * (spawn-fcgi) leave it. */
bool gateway_has_listener(void);

struct gateway *gateway_new(void);
void gateway_free(struct gateway *g);

/* Reads the head of a FastCGI request from a connection and takes the
 * connection, which gateway_finish() closes. False: there was no request, and
 * the connection is closed already. */
bool gateway_accept(struct gateway *g, int connection);

/* The one request of a CGI process. */
void gateway_begin_cgi(struct gateway *g);

/* A CGI variable; its data is NULL if it is not given. Lives until
 * gateway_finish(). */
struct text gateway_variable(struct gateway *g, const char *name);

/* Whether it is given more than once, as a header of the request may be. */
bool gateway_has_twice(struct gateway *g, const char *name);

/* Adds up to size bytes of the request's body to b; false if it ended before.
 * What is left is passed over by gateway_read_out(). */
bool gateway_read(struct gateway *g, size_t size, struct buffer *b);

/* Reads the rest of the request, up to its end: from then on its peer can't keep
 * anybody waiting but by not reading the answer. */
void gateway_read_out(struct gateway *g);

/* Writes a part of the answer. */
void gateway_write(struct gateway *g, struct text data);

/* After gateway_read_out(). */
void gateway_finish(struct gateway *g);

#endif
