/* One request, from its first byte to the last of its answer. It is handed from
 * thread to thread: a worker takes it when all of it has come; a read may queue; a
 * POST waits to be saved, and is finished by the finisher; an answer that the peer
 * does not read waits for that. None of this holds a thread. */
#ifndef LONGROOM_REQUEST_H
#define LONGROOM_REQUEST_H

#include "base/users.h"
#include "codec/route.h"
#include "gateway/exchange.h"
#include "writer/saver.h"
#include "submission.h"
#include "verifications.h"

struct service;
struct request;

/* Completes the answer of a request whose save has its outcome. */
typedef void request_finish(struct service *service, struct request *request);

/* Answers a request that only reads. */
typedef void request_read(struct service *service, struct request *request);

/* Who sends a message, where that is not for the message to say. */
struct sender {
	bool is_known;
	struct buffer id, name, type;
};

struct request {
	struct exchange exchange; /* its bytes, and its answer's */
	/* When it is there: */
	struct buffer target; /* as it was sent */
	struct route route;   /* of the target */
	struct buffer body;
	struct sender sender;
	struct verification verification;
	bool is_unverified; /* it has to wait for that, see guard.h */
	/* What is to be saved: */
	struct submission submission;
	struct message message; /* points into the submission */
	struct save save;
	request_finish *finish; /* set by who wants the save; NULL: nobody does */
	/* A read that is under way: */
	request_read *read; /* NULL: it is none */
	struct user *user;  /* whose (reads.h); NULL: nobody's */
	struct request *next; /* among those that are free */
};

void sender_clear(struct sender *sender);

/* A pool of requests. What limits them is how many may wait to be saved: memory
 * is taken as they are needed and kept for the next. */
struct requests;

struct requests *requests_new(size_t limit);
/* All must have been given back. */
void requests_free(struct requests *requests);

/* NULL: as many are in use as there may be. From any thread. */
struct request *requests_take(struct requests *requests);
void requests_give_back(struct requests *requests, struct request *request);

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
