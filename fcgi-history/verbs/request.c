#include "verbs/request.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/journal.h"
#include "base/memory.h"

struct requests {
	pthread_mutex_t lock;
	/* Under the lock: */
	struct request *first; /* the one used last, whose memory is warm */
	size_t count, limit;   /* that there are */
};

struct requests *requests_new(size_t limit)
{
	struct requests *requests = memory_get(sizeof *requests);

	requests->limit = limit;
	pthread_mutex_init(&requests->lock, NULL);
	return requests;
}

static void sender_clear(struct sender *sender)
{
	sender->is_known = false;
	buffer_clear(&sender->id);
	buffer_clear(&sender->name);
	buffer_clear(&sender->type);
}

void request_clear(struct request *request)
{
	request->verb = NULL;
	buffer_clear(&request->target);
	buffer_clear(&request->body);
	sender_clear(&request->sender);
	response_clear(&request->exchange.response);
}

struct text request_variable(struct request *request, const char *name)
{
	return gateway_variable(request->exchange.gateway, name);
}

void request_refuse(struct request *request, enum problem_type type,
                    const char *detail)
{
	response_set_problem(&request->exchange.response,
	                     (struct problem){type, detail});
}

void request_refuse_unread(struct request *request, const char *reason)
{
	journal_error("Failed to read from database: %s: room_id=%.*s", reason,
	              TEXT_ARGS(room_name_label(&request->route.room)));
	request_refuse(request, PROBLEM_STORAGE, "the log can't be read now");
}

static void sender_release(struct sender *sender)
{
	buffer_release(&sender->id);
	buffer_release(&sender->name);
	buffer_release(&sender->type);
}

static void request_free(struct request *request)
{
	exchange_release(&request->exchange);
	buffer_release(&request->target);
	buffer_release(&request->body);
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
	pthread_mutex_destroy(&requests->lock);
	free(requests);
}

static struct request *request_new(void)
{
	struct request *request = memory_get(sizeof *request);

	exchange_init(&request->exchange);
	return request;
}

struct request *requests_take(struct requests *requests)
{
	pthread_mutex_lock(&requests->lock);
	struct request *request = requests->first;
	bool is_new = request == NULL && requests->count < requests->limit;
	if (request != NULL)
		requests->first = request->next;
	requests->count += is_new;
	pthread_mutex_unlock(&requests->lock);
	return is_new ? request_new() : request;
}

void requests_put_back(struct requests *requests, struct request *request)
{
	pthread_mutex_lock(&requests->lock);
	request->next = requests->first;
	requests->first = request;
	pthread_mutex_unlock(&requests->lock);
}

struct request_queue {
	pthread_mutex_t lock;
	struct list list; /* under the lock */
};

struct request_queue *request_queue_new(void)
{
	struct request_queue *queue = memory_get(sizeof *queue);

	pthread_mutex_init(&queue->lock, NULL);
	list_init(&queue->list);
	return queue;
}

void request_queue_free(struct request_queue *queue)
{
	pthread_mutex_destroy(&queue->lock);
	free(queue);
}

void request_queue_put(struct request_queue *queue, struct request *request)
{
	pthread_mutex_lock(&queue->lock);
	list_append(&queue->list, &request->exchange.link);
	pthread_mutex_unlock(&queue->lock);
}

struct request *request_queue_take(struct request_queue *queue)
{
	struct request *request = NULL;

	pthread_mutex_lock(&queue->lock);
	if (!list_is_empty(&queue->list)) {
		request = LIST_OWNER(queue->list.next, struct request, exchange.link);
		list_remove(&request->exchange.link);
	}
	pthread_mutex_unlock(&queue->lock);
	return request;
}

bool request_queue_is_empty(struct request_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	bool empty = list_is_empty(&queue->list);
	pthread_mutex_unlock(&queue->lock);
	return empty;
}
