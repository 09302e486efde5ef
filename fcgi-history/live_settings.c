#include "live_settings.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/memory.h"

struct version {
	struct settings settings; /* first: known by its address */
	size_t refcount;
};

struct live_settings {
	pthread_mutex_t lock;
	/* Under the lock, as is its reference count. This is one of its
	 * references. */
	struct version *current;
};

static struct version *version_new(struct settings *settings)
{
	struct version *version = memory_get(sizeof *version);

	version->settings = *settings;
	version->refcount = 1;
	*settings = (struct settings){0};
	return version;
}

/* Under the lock, or when no other thread is left. */
static void version_unref(struct version *version)
{
	if (--version->refcount > 0)
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
	version_unref(live->current);
	pthread_mutex_destroy(&live->lock);
	free(live);
}

const struct settings *live_settings_replace(struct live_settings *live,
                                             struct settings *fresh)
{
	struct version *version = version_new(fresh);

	pthread_mutex_lock(&live->lock);
	version_unref(live->current);
	live->current = version;
	pthread_mutex_unlock(&live->lock);
	return &version->settings;
}

const struct settings *live_settings_ref(struct live_settings *live)
{
	pthread_mutex_lock(&live->lock);
	struct version *version = live->current;
	version->refcount++;
	pthread_mutex_unlock(&live->lock);
	return &version->settings;
}

void live_settings_unref(struct live_settings *live,
                         const struct settings *settings)
{
	pthread_mutex_lock(&live->lock);
	version_unref((struct version *)settings);
	pthread_mutex_unlock(&live->lock);
}
