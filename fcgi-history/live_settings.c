#include "live_settings.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/memory.h"

struct version {
	struct settings settings; /* first: held by its address */
	size_t holders;
};

struct live_settings {
	pthread_mutex_t lock;
	/* Under the lock, with the number of its holders. It is one itself. */
	struct version *current;
};

static struct version *version_new(struct settings *settings)
{
	struct version *version = memory_get(sizeof *version);

	version->settings = *settings;
	version->holders = 1;
	*settings = (struct settings){0};
	return version;
}

/* Under the lock, or when no other thread is left. */
static void version_release(struct version *version)
{
	if (--version->holders > 0)
		return;
	settings_release(&version->settings);
	free(version);
}

struct live_settings *live_settings_new(struct settings *settings)
{
	struct live_settings *live = memory_get(sizeof *live);

	pthread_mutex_init(&live->lock, NULL);
	live->current = version_new(settings);
	return live;
}

void live_settings_free(struct live_settings *live)
{
	version_release(live->current);
	pthread_mutex_destroy(&live->lock);
	free(live);
}

const struct settings *live_settings_replace(struct live_settings *live,
                                             struct settings *fresh)
{
	struct version *version = version_new(fresh);

	pthread_mutex_lock(&live->lock);
	version_release(live->current);
	live->current = version;
	pthread_mutex_unlock(&live->lock);
	return &version->settings;
}

const struct settings *live_settings_hold(struct live_settings *live)
{
	pthread_mutex_lock(&live->lock);
	struct version *version = live->current;
	version->holders++;
	pthread_mutex_unlock(&live->lock);
	return &version->settings;
}

void live_settings_release(struct live_settings *live,
                           const struct settings *held)
{
	pthread_mutex_lock(&live->lock);
	version_release((struct version *)held);
	pthread_mutex_unlock(&live->lock);
}
