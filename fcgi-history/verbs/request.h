/* One request, from its first byte to the last of its answer. It is handed from
 * thread to thread, and belongs to one at a time: a worker takes it when all of it
 * has come; a read may queue; a POST waits to be saved, and is answered by the
 * responder; an answer that the peer does not read waits for that. None of this holds
 * a thread. */
#ifndef LONGROOM_REQUEST_H
#define LONGROOM_REQUEST_H

#include "base/users.h"
#include "codec/route.h"
#include "gateway/exchange.h"
#include "verbs/submission.h"
#include "verbs/verifications.h"
#include "writer/saver.h"

struct verb;

enum method {
	METHOD_GET,
	METHOD_HEAD,
	METHOD_POST,
	METHOD_OPTIONS,
	METHOD_OTHER,
};

/* The sender of a message, where that is not for the message to say. */
struct sender {
	bool is_known;
	struct buffer id, name, type;
};

struct request {
	struct exchange exchange; /* its bytes, and its answer's */
	/* What is asked for: */
	enum method method;
	struct buffer target; /* as it was sent */
	struct route route;   /* of the target */
	const struct verb *verb; /* the router's, that answers it; NULL: none yet */
	struct buffer body;
	struct sender sender;
	struct verification verification;
	/* What is to be saved: */
	struct submission submission;
	struct message message; /* points into the submission */
	struct save save;
	/* A read that is under way: */
	struct user *user; /* whose (reads.h); NULL: nobody's */
	struct request *next; /* among those that are free */
};

/* Forgets what was asked for, and the answer, but not the verification. */
void request_clear(struct request *request);

/* A variable of the request (gateway.h). */
struct text request_variable(struct request *request, const char *name);

/* Make the answer an error. The second: the store could not read, for this reason,
 * which the operator is told. */
void request_refuse(struct request *request, enum problem_type type,
                    const char *detail);
void request_refuse_unread(struct request *request, const char *reason);

/* A pool of requests, from any thread. What limits them is how many may wait to be
 * saved: memory is taken as they are needed and kept for the next. */
struct requests;

struct requests *requests_new(size_t limit);
/* All must have been put back. */
void requests_free(struct requests *requests);

/* NULL: as many are in use as there may be. */
struct request *requests_take(struct requests *requests);
void requests_put_back(struct requests *requests, struct request *request);

/* Requests that were handed over, first in, first out. From any thread. */
struct request_queue;

struct request_queue *request_queue_new(void);
/* When it is empty. */
void request_queue_free(struct request_queue *queue);
void request_queue_put(struct request_queue *queue, struct request *request);
/* NULL: there is none. */
struct request *request_queue_take(struct request_queue *queue);
bool request_queue_is_empty(struct request_queue *queue);

#endif
