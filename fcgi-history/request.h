/* One request, from its first byte to the last of its answer. It is handed from
 * thread to thread: a worker reads it; a POST then waits to be saved, which holds
 * nobody up, and is finished by the finisher. */
#ifndef LONGROOM_REQUEST_H
#define LONGROOM_REQUEST_H

#include "gateway.h"
#include "response.h"
#include "route.h"
#include "saver.h"
#include "submission.h"

struct service;
struct request;

/* Completes the answer of a request whose save has its outcome. */
typedef void request_finish(struct service *service, struct request *request);

/* Who sends a message, where that is not for the message to say. */
struct sender {
	bool is_known;
	struct buffer id, name, type;
};

struct request {
	struct gateway *gateway;
	struct buffer target; /* as it was sent */
	struct route route;   /* of the target */
	struct buffer body;
	struct response response;
	struct sender sender;
	/* What is to be saved: */
	struct submission submission;
	struct message message; /* points into the submission */
	struct save save;
	request_finish *finish; /* set by who wants the save; NULL: nobody does */
	struct request *next;   /* among those that are free */
};

void sender_clear(struct sender *sender);

/* A pool of requests. What limits them is how many may wait to be saved: memory
 * is taken as they are needed and kept for the next. */
struct requests;

struct requests *requests_new(size_t limit);
/* All must have been given back. */
void requests_free(struct requests *requests);

/* A request, emptied; waits until there is one. From any thread. */
struct request *requests_take(struct requests *requests);
void requests_give_back(struct requests *requests, struct request *request);

#endif
