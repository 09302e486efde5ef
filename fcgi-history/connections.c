#include "connections.h"

#include <pthread.h>
#include <stdlib.h>

#include "memory.h"
#include "metrics.h"

struct connections {
	pthread_mutex_t lock;
	pthread_cond_t filled, emptied;
	/* Under the lock: a ring. */
	int *ring;
	size_t limit, first, count;
	bool ended;
};

struct connections *connections_new(size_t limit)
{
	struct connections *c = memory_get(sizeof *c);

	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->filled, NULL);
	pthread_cond_init(&c->emptied, NULL);
	c->ring = memory_get(limit * sizeof *c->ring);
	c->limit = limit;
	return c;
}

void connections_free(struct connections *c)
{
	pthread_cond_destroy(&c->filled);
	pthread_cond_destroy(&c->emptied);
	pthread_mutex_destroy(&c->lock);
	free(c->ring);
	free(c);
}

void connections_put(struct connections *c, int connection)
{
	pthread_mutex_lock(&c->lock);
	while (c->count == c->limit)
		pthread_cond_wait(&c->emptied, &c->lock);
	c->ring[(c->first + c->count++) % c->limit] = connection;
	metrics_add(METRIC_HISTORY_CONNECTIONS, 1);
	pthread_cond_signal(&c->filled);
	pthread_mutex_unlock(&c->lock);
}

int connections_take(struct connections *c)
{
	int connection = -1;

	pthread_mutex_lock(&c->lock);
	while (c->count == 0 && !c->ended)
		pthread_cond_wait(&c->filled, &c->lock);
	if (c->count > 0) {
		connection = c->ring[c->first];
		c->first = (c->first + 1) % c->limit;
		metrics_add(METRIC_HISTORY_CONNECTIONS, -1);
		if (c->count-- == c->limit)
			pthread_cond_signal(&c->emptied);
	}
	pthread_mutex_unlock(&c->lock);
	return connection;
}

void connections_end(struct connections *c)
{
	pthread_mutex_lock(&c->lock);
	c->ended = true;
	pthread_cond_broadcast(&c->filled);
	pthread_mutex_unlock(&c->lock);
}
