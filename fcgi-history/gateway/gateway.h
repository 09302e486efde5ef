/* Requests from a web server, over FastCGI or plain CGI (RFC 3875). Only gateway.c
 * knows libfcgi.
 *
 * A gateway belongs to one thread at a time and has one request: from
 * gateway_accept() or gateway_begin_cgi() to gateway_finish() or
 * gateway_abandon(). */
#ifndef LONGROOM_GATEWAY_H
#define LONGROOM_GATEWAY_H

#include "base/buffer.h"

struct gateway;

/* Once, before anything else. */
void gateway_init(void);

/* Whether descriptor 0 is a listening socket, as passed by FastCGI process managers
 * (spawn-fcgi). */
bool gateway_has_listener(void);

struct gateway *gateway_new(void);
void gateway_free(struct gateway *g);

/* Makes a feed, the file in memory from which libfcgi reads requests in one thread.
 * The caller closes it with close(2). -1: it failed, and errno says why. */
int gateway_feed_new(void);

/* Takes a complete FastCGI request (fastcgi_scan.h) and the connection that it came
 * over, on which it will be answered. *feed is a feed or -1; a missing or broken
 * feed is replaced. False: the request is invalid, and the connection is closed. */
bool gateway_accept(struct gateway *g, int *feed, struct text input,
                    int connection);

/* The one request of a CGI process. */
void gateway_begin_cgi(struct gateway *g);

/* Returns a CGI variable, valid until gateway_finish(). Its data is NULL if it is
 * absent. */
struct text gateway_variable(struct gateway *g, const char *name);

/* Whether the variable is given more than once, as happens if a header is
 * repeated. */
bool gateway_has_twice(struct gateway *g, const char *name);

/* Adds `size` bytes of the request's body to b. False: the body is shorter. */
bool gateway_read(struct gateway *g, size_t size, struct buffer *b);

/* The request moves to another thread before its input was read. It takes the feed
 * along, and *feed becomes -1. The second time this changes nothing. */
void gateway_keep_feed(struct gateway *g, int *feed);

/* No more input will be read. From here on the request needs no feed. */
void gateway_end_input(struct gateway *g);

/* Returns the connection, which must be writable before more is written. */
int gateway_connection(const struct gateway *g);

/* Writes the answer from *at on, as far as the connection has room, and advances
 * *at. Never waits for the peer. True: all is written, or the peer is gone. */
bool gateway_write(struct gateway *g, struct text data, size_t *at);

/* Ends a request whose answer was written. */
void gateway_finish(struct gateway *g);

/* Ends a request whose answer was not written. */
void gateway_abandon(struct gateway *g);

#endif
