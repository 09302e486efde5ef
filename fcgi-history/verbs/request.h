/* One request, from its first byte to the last byte of its answer.
 *
 * A request is passed between threads, and belongs to one thread at a time. A worker
 * takes it once it is complete. A read may queue. A POST waits to be saved, and the
 * responder answers it. An answer that the peer does not read waits for the peer.
 * None of this blocks a thread. */
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

/* The authenticated sender of a message. With auth.mode = open the body names the
 * sender. */
struct sender {
	bool is_known;
	struct buffer id, name, type;
};

struct request {
	struct exchange exchange; /* its bytes, and those of its answer */
	/* The request: */
	enum method method;
	struct buffer target; /* as sent */
	struct route route;   /* of the target */
	const struct verb *verb; /* answers it (router.c); NULL: not chosen yet */
	struct buffer body;
	struct sender sender;
	struct verification verification;
	/* The message to be saved: */
	struct submission submission;
	struct message message; /* points into the submission */
	struct save save;
	/* For a read under way: */
	struct user *user; /* the reader (reads.h); NULL: not counted */
	struct request *next; /* in the pool's list of free requests */
};

/* Clears the request and its answer, but keeps the verification. */
void request_clear(struct request *request);

/* Returns a variable of the request (gateway.h). */
struct text request_variable(struct request *request, const char *name);

/* Make the answer an error. The second is for a failed read of the store; it logs
 * the reason. */
void request_refuse(struct request *request, enum problem_type type,
                    const char *detail);
void request_refuse_unread(struct request *request, const char *reason);

/* A pool of at most `limit` requests, from any thread. Memory is allocated when a
 * request needs it, and kept for the next one. */
struct requests;

struct requests *requests_new(size_t limit);
/* Call when all requests have been put back. */
void requests_free(struct requests *requests);

/* Takes a request. NULL: the maximum number is in use. */
struct request *requests_take(struct requests *requests);
void requests_put_back(struct requests *requests, struct request *request);

/* A queue of requests between threads, first in, first out. From any thread. */
struct request_queue;

struct request_queue *request_queue_new(void);
/* Call when it is empty. */
void request_queue_free(struct request_queue *queue);
void request_queue_put(struct request_queue *queue, struct request *request);
/* Takes the next request. NULL: there is none. */
struct request *request_queue_take(struct request_queue *queue);
bool request_queue_is_empty(struct request_queue *queue);

#endif
