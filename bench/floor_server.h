/* What the floors that push have in common: sockets, and requests that come in one
 * piece.
 *
 * A connection is given to epoll once, edge-triggered, and never again. It speaks just
 * enough HTTP for longroom-load and nginx. Anything else ends the program: a floor that
 * limps would flatter Longroom. */
#ifndef LONGROOM_FLOOR_SERVER_H
#define LONGROOM_FLOOR_SERVER_H

#include "base/buffer.h"
#include "base/text.h"

/* A floor's part of the work. */
struct floor_handlers {
	const char *program;
	/* The request line up to its end, and all behind the head. */
	void (*request)(int fd, struct text line, struct text body);
	/* The client has left; its descriptor is closed next. */
	void (*left)(int fd);
};

/* Serves these addresses (unix:/path or host:port) until SIGTERM. Returns the exit
 * status if there is nothing to serve. */
int floor_serve(int argc, char **argv, const struct floor_handlers *handlers);

/* Room for the descriptors of all clients; the caller frees. */
int *floor_descriptors(void);

/* Ends the program with errno's text. */
void floor_give_up(const char *why);

/* Makes an answer of this status and body; clears the body. */
void floor_wrap(struct buffer *answer, const char *status, struct buffer *body);

/* It must fit the socket, unless the client has left. */
void floor_send(int fd, const struct buffer *answer);

/* Takes a descriptor out of a list, if it is there; returns how many are left. */
size_t floor_drop(int *list, size_t count, int fd);

#endif
