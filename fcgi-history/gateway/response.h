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

/* Empties it for the next answer. Keeps its memory, unless that is large. */
void response_clear(struct response *r);
void response_release(struct response *r);

/* Makes it an error answer. Headers added so far stay. */
void response_set_problem(struct response *r, struct problem problem);

/* A store_visit that adds a message to the body, which is the context. */
void response_add_message(void *body, const struct message *m);

/* Adds a path to a header. Characters that must not appear there are written as %XX.
 * Several slashes at its start become one: after two, the next part would be a host
 * name (RFC 3986 section 4.2). */
void response_add_path(struct buffer *b, struct text path);

/* Completes it; call once. Leaves out the body for HEAD. */
void response_seal(struct response *r, bool with_body);

/* Writes as much as there is room for. True: all is written, or the peer is gone. */
bool response_send(struct response *r, struct gateway *g);

/* Returns the memory that it takes, in bytes. */
size_t response_bytes(const struct response *r);

#endif
