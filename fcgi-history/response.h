/* An answer on its way to the web server. */
#ifndef LONGROOM_RESPONSE_H
#define LONGROOM_RESPONSE_H

#include "gateway.h"
#include "problem.h"

struct response {
	int status;
	const char *content_type; /* NULL: there is no body */
	struct buffer headers;    /* further ones, each with its CR LF */
	struct buffer body;
};

/* Empties it for the next answer and keeps its memory. */
void response_clear(struct response *r);
void response_release(struct response *r);

/* Turns it into an error answer; headers added so far stay. */
void response_set_problem(struct response *r, struct problem problem);

/* Adds what a path in a header must not contain as %XX. */
void response_add_path(struct buffer *b, struct text path);

/* Writes it; without its body if that was not asked for (HEAD). */
void response_send(const struct response *r, bool with_body, struct gateway *g);

#endif
