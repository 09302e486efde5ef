/* An answer on its way to the web server. */
#ifndef LONGROOM_RESPONSE_H
#define LONGROOM_RESPONSE_H

#include "codec/message.h"
#include "codec/problem.h"
#include "gateway/gateway.h"

struct response {
	int status;
	enum problem_type problem;
	const char *content_type; /* NULL: there is no body */
	struct buffer headers;    /* further ones, each with its CR LF */
	struct buffer body;
	struct buffer head; /* with the headers, when it is sealed */
	size_t head_sent, body_sent;
};

/* Empties it for the next answer, and keeps its memory unless that is much. */
void response_clear(struct response *r);
void response_release(struct response *r);

/* Turns it into an error answer; headers added so far stay. */
void response_set_problem(struct response *r, struct problem problem);

/* A store_visit that adds a message to the body, which is the context. */
void response_add_message(void *body, const struct message *m);

/* Adds what a path in a header must not contain as %XX, and of several slashes
 * at its start one: two would make the next part a host's name (RFC 3986 section
 * 4.2). */
void response_add_path(struct buffer *b, struct text path);

/* Completes it, once; without its body if that was not asked for (HEAD). */
void response_seal(struct response *r, bool with_body);

/* Writes as much as there is room for. True: all is written, or the peer gone. */
bool response_send(struct response *r, struct gateway *g);

/* The memory that it takes. */
size_t response_bytes(const struct response *r);

#endif
