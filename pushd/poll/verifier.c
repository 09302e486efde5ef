#include "poll/verifier.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/memory.h"
#include "os/thread.h"

struct verification {
	struct list link; /* in the verifier's asked or answered, or in none */
	void *owner;      /* the loop's; NULL: forgotten */
	bool is_asked;    /* under the lock: the thread has not begun */
	struct token_proof proof;
	size_t size;
	char token[];
};

struct verifier {
	struct ev_loop *loop;
	struct ev_async wake;
	struct access *access;
	verifier_done *done;
	size_t count; /* under way; the loop's */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t filled;
	/* Under the lock: */
	struct list asked, answered;
	bool stopping;
};

static struct verification *first_of(struct list *list)
{
	struct list *first = list->next;

	if (list_is_empty(list))
		return NULL;
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): freed ones left the list */
	list_remove(first);
	return LIST_OWNER(first, struct verification, link);
}

static struct verification *verifier_wait(struct verifier *verifier)
{
	struct verification *v = NULL;

	pthread_mutex_lock(&verifier->lock);
	while (list_is_empty(&verifier->asked) && !verifier->stopping)
		pthread_cond_wait(&verifier->filled, &verifier->lock);
	if (!verifier->stopping)
		v = first_of(&verifier->asked);
	if (v != NULL)
		v->is_asked = false;
	pthread_mutex_unlock(&verifier->lock);
	return v;
}

static void *verifier_run(void *argument)
{
	struct verifier *verifier = argument;
	struct verification *v;

	thread_give_way();
	while ((v = verifier_wait(verifier)) != NULL) {
		access_prove(verifier->access, (struct text){v->token, v->size},
		             &v->proof);
		pthread_mutex_lock(&verifier->lock);
		list_append(&verifier->answered, &v->link);
		pthread_mutex_unlock(&verifier->lock);
		ev_async_send(verifier->loop, &verifier->wake);
	}
	return NULL;
}

/* A new verification queues at the end. */
static void verifier_enqueue(struct verifier *verifier, struct verification *v)
{
	pthread_mutex_lock(&verifier->lock);
	v->is_asked = true;
	list_append(&verifier->asked, &v->link);
	pthread_cond_signal(&verifier->filled);
	pthread_mutex_unlock(&verifier->lock);
}

static void verification_end(struct verifier *verifier, struct verification *v)
{
	access_drop_proof(verifier->access, &v->proof);
	verifier->count--;
	free(v);
}

static void verification_tell(struct verifier *verifier, struct verification *v)
{
	if (v->owner != NULL &&
	    !access_is_current(verifier->access, &v->proof)) {
		access_drop_proof(verifier->access, &v->proof);
		verifier_enqueue(verifier, v);
		return;
	}
	if (v->owner != NULL)
		verifier->done(v->owner, &v->proof);
	verification_end(verifier, v);
}

static void verifier_give_back(struct ev_loop *loop, struct ev_async *wake,
                               int events)
{
	struct verifier *verifier = wake->data;
	struct verification *v;

	(void)loop;
	(void)events;
	do {
		pthread_mutex_lock(&verifier->lock);
		v = first_of(&verifier->answered);
		pthread_mutex_unlock(&verifier->lock);
		if (v != NULL)
			verification_tell(verifier, v);
	} while (v != NULL);
}

struct verifier *verifier_start(struct ev_loop *loop, struct access *access,
                                verifier_done *done)
{
	struct verifier *verifier = memory_get(sizeof *verifier);

	verifier->loop = loop;
	verifier->access = access;
	verifier->done = done;
	list_init(&verifier->asked);
	list_init(&verifier->answered);
	pthread_mutex_init(&verifier->lock, NULL);
	pthread_cond_init(&verifier->filled, NULL);
	ev_async_init(&verifier->wake, verifier_give_back);
	verifier->wake.data = verifier;
	ev_async_start(loop, &verifier->wake);
	verifier->thread = thread_start(verifier_run, verifier);
	return verifier;
}

void verifier_stop(struct verifier *verifier)
{
	struct verification *v;

	if (verifier == NULL)
		return;
	pthread_mutex_lock(&verifier->lock);
	verifier->stopping = true;
	pthread_cond_signal(&verifier->filled);
	pthread_mutex_unlock(&verifier->lock);
	pthread_join(verifier->thread, NULL);
	ev_async_stop(verifier->loop, &verifier->wake);
	while ((v = first_of(&verifier->answered)) != NULL)
		verification_end(verifier, v);
	pthread_cond_destroy(&verifier->filled);
	pthread_mutex_destroy(&verifier->lock);
	free(verifier);
}

struct verification *verifier_ask(struct verifier *verifier, struct text token,
                                  void *owner)
{
	struct verification *v;

	if (verifier->count == VERIFIER_MAX)
		return NULL;
	v = memory_get(sizeof *v + token.size);
	list_init(&v->link);
	v->owner = owner;
	v->size = token.size;
	memcpy(v->token, token.data, token.size);
	verifier->count++;
	verifier_enqueue(verifier, v);
	return v;
}

/* If the thread has it, or it is on its way back, it is freed when it arrives. */
void verifier_forget(struct verifier *verifier, struct verification *v)
{
	v->owner = NULL;
	pthread_mutex_lock(&verifier->lock);
	bool is_asked = v->is_asked;
	if (is_asked)
		list_remove(&v->link);
	pthread_mutex_unlock(&verifier->lock);
	if (is_asked)
		verification_end(verifier, v);
}
