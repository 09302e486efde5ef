#include "request.h"

#include <pthread.h>
#include <stdlib.h>

#include "memory.h"
#include "metrics.h"

struct requests {
	pthread_mutex_t lock;
	pthread_cond_t given_back;
	/* Under the lock: */
	struct request *first; /* the one used last, whose memory is warm */
	size_t count, limit;   /* that there are */
};

struct requests *requests_new(size_t limit)
{
	struct requests *requests = memory_get(sizeof *requests);

	requests->limit = limit;
	pthread_mutex_init(&requests->lock, NULL);
	pthread_cond_init(&requests->given_back, NULL);
	return requests;
}

void sender_clear(struct sender *sender)
{
	sender->is_known = false;
	buffer_clear(&sender->id);
	buffer_clear(&sender->name);
	buffer_clear(&sender->type);
}

static void sender_release(struct sender *sender)
{
	buffer_release(&sender->id);
	buffer_release(&sender->name);
	buffer_release(&sender->type);
}

static void request_free(struct request *request)
{
	gateway_free(request->gateway);
	buffer_release(&request->target);
	buffer_release(&request->body);
	response_release(&request->response);
	sender_release(&request->sender);
	submission_release(&request->submission);
	free(request);
}

void requests_free(struct requests *requests)
{
	while (requests->first != NULL) {
		struct request *request = requests->first;

		requests->first = request->next;
		request_free(request);
	}
	pthread_cond_destroy(&requests->given_back);
	pthread_mutex_destroy(&requests->lock);
	free(requests);
}

static struct request *request_new(void)
{
	struct request *request = memory_get(sizeof *request);

	request->gateway = gateway_new();
	return request;
}

struct request *requests_take(struct requests *requests)
{
	struct request *request;

	pthread_mutex_lock(&requests->lock);
	while (requests->first == NULL && requests->count == requests->limit)
		pthread_cond_wait(&requests->given_back, &requests->lock);
	request = requests->first;
	if (request != NULL)
		requests->first = request->next;
	else
		requests->count++;
	pthread_mutex_unlock(&requests->lock);
	return request != NULL ? request : request_new();
}

void requests_give_back(struct requests *requests, struct request *request)
{
	pthread_mutex_lock(&requests->lock);
	request->next = requests->first;
	requests->first = request;
	pthread_cond_signal(&requests->given_back);
	pthread_mutex_unlock(&requests->lock);
}
