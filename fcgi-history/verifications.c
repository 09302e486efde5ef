#include "verifications.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "memory.h"

struct verifications {
	size_t most;
	atomic_size_t count;
	pthread_mutex_t turn;
};

struct verifications *verifications_new(size_t most)
{
	struct verifications *verifications = memory_get(sizeof *verifications);

	verifications->most = most > 0 ? most : 1;
	pthread_mutex_init(&verifications->turn, NULL);
	return verifications;
}

void verifications_free(struct verifications *verifications)
{
	pthread_mutex_destroy(&verifications->turn);
	free(verifications);
}

bool verifications_enter(struct verifications *verifications)
{
	if (atomic_fetch_add(&verifications->count, 1) < verifications->most)
		return true;
	atomic_fetch_sub(&verifications->count, 1);
	return false;
}

void verifications_take_turn(struct verifications *verifications)
{
	pthread_mutex_lock(&verifications->turn);
}

void verifications_leave(struct verifications *verifications)
{
	pthread_mutex_unlock(&verifications->turn);
	atomic_fetch_sub(&verifications->count, 1);
}
