/* Requests from a web server, over FastCGI or plain CGI (RFC 3875), and the
 * only file that knows libfcgi is gateway.c.
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

/* Whether descriptor 0 is a listening socket, as FastCGI's process managers
 * (spawn-fcgi) leave it. */
bool gateway_has_listener(void);

struct gateway *gateway_new(void);
void gateway_free(struct gateway *g);

/* What libfcgi reads a request from: a file in memory, for one thread. -1, and
 * errno: there can be none now. Its owner closes it by close(2). */
int gateway_feed_new(void);

/* Takes a whole FastCGI request (fastcgi_scan.h), which came over a connection,
 * and takes the connection, on which it is answered. *feed is -1 or a feed; one
 * that is lost is replaced. False: it was no request that can be answered, and the
 * connection is closed. */
bool gateway_accept(struct gateway *g, int *feed, struct text input,
                    int connection);

/* The one request of a CGI process. */
void gateway_begin_cgi(struct gateway *g);

/* A CGI variable; its data is NULL if it is not given. Lives until
 * gateway_finish(). */
struct text gateway_variable(struct gateway *g, const char *name);

/* Whether it is given more than once, as a header of the request may be. */
bool gateway_has_twice(struct gateway *g, const char *name);

/* Adds up to size bytes of the request's body to b; false if it ended before. */
bool gateway_read(struct gateway *g, size_t size, struct buffer *b);

/* The request goes to another thread before it was read: it takes the feed along,
 * and leaves -1; but for one that has done so before. */
void gateway_keep_feed(struct gateway *g, int *feed);

/* The request was read as far as anybody wants it: from here on it does without a
 * feed. */
void gateway_end_input(struct gateway *g);

/* The connection that is to be writable before more is written. */
int gateway_connection(const struct gateway *g);

/* Writes a part of the answer from *at on, and moves *at, as far as there is room
 * in the connection, so that it never waits for the peer. True: all is written, or
 * will never be, for the peer is gone. */
bool gateway_write(struct gateway *g, struct text data, size_t *at);

/* Ends an answer that was written. */
void gateway_finish(struct gateway *g);

/* Ends one that was not. */
void gateway_abandon(struct gateway *g);

#endif
