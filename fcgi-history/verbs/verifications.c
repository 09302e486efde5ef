#include "verbs/verifications.h"

#include <stdlib.h>

#include "base/memory.h"
#include "os/thread.h"

struct verifications {
	struct access *access;
	size_t most;
	verification_done *done;
	void *context;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t filled;
	/* Under the lock: */
	size_t count; /* under way */
	struct verification *first, **last;
	bool stopping;
};

static struct verification *wait_for_token(struct verifications *all)
{
	struct verification *v;

	pthread_mutex_lock(&all->lock);
	while (all->first == NULL && !all->stopping)
		pthread_cond_wait(&all->filled, &all->lock);
	v = all->first;
	if (v != NULL)
		all->first = v->next;
	if (all->first == NULL)
		all->last = &all->first;
	pthread_mutex_unlock(&all->lock);
	return v;
}

/* Keys may be replaced meanwhile. */
static void prove(struct access *access, struct verification *v)
{
	access_prove(access, v->token, &v->proof);
	while (!access_is_current(access, &v->proof)) {
		access_drop_proof(access, &v->proof);
		access_prove(access, v->token, &v->proof);
	}
	v->is_done = true;
}

/* Before the owner gets it back, since it may add the next one at once. */
static void leave_queue(struct verifications *all)
{
	pthread_mutex_lock(&all->lock);
	all->count--;
	pthread_mutex_unlock(&all->lock);
}

static void *verify_until_stopped(void *argument)
{
	struct verifications *all = argument;
	struct verification *v;

	thread_give_way();
	while ((v = wait_for_token(all)) != NULL) {
		prove(all->access, v);
		leave_queue(all);
		all->done(all->context, v);
	}
	return NULL;
}

struct verifications *verifications_start(struct access *access, size_t most,
                                          verification_done *done, void *context)
{
	struct verifications *all = memory_get(sizeof *all);

	all->access = access;
	all->most = most;
	all->done = done;
	all->context = context;
	all->last = &all->first;
	pthread_mutex_init(&all->lock, NULL);
	pthread_cond_init(&all->filled, NULL);
	all->thread = thread_start(verify_until_stopped, all);
	return all;
}

void verifications_stop(struct verifications *all)
{
	pthread_mutex_lock(&all->lock);
	all->stopping = true;
	pthread_cond_signal(&all->filled);
	pthread_mutex_unlock(&all->lock);
	pthread_join(all->thread, NULL);
	pthread_cond_destroy(&all->filled);
	pthread_mutex_destroy(&all->lock);
	free(all);
}

bool verifications_put(struct verifications *all, struct verification *v)
{
	pthread_mutex_lock(&all->lock);
	bool has_room = all->count < all->most;
	if (has_room) {
		v->next = NULL;
		*all->last = v;
		all->last = &v->next;
		all->count++;
		pthread_cond_signal(&all->filled);
	}
	pthread_mutex_unlock(&all->lock);
	return has_room;
}
