#include "bus/bus_watch.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/journal.h"
#include "base/memory.h"
#include "bus/bus.h"

enum {
	LOOK_MS = 900,  /* a little less than its callers' second */
	TOLD_MAX = 16,  /* addresses; no warnings about more */
};

struct bus_watch {
	struct word_list subscribed;
	char *published; /* NULL: it only subscribes */
	char *told[TOLD_MAX];
	size_t told_count;
	int64_t next_ms; /* monotonic */
};

struct bus_watch *bus_watch_new(const struct word_list *subscribed,
                                const char *published)
{
	struct bus_watch *watch = memory_get(sizeof *watch);

	word_list_copy(&watch->subscribed, subscribed);
	if (published != NULL)
		watch->published = memory_copy(published, strlen(published));
	return watch;
}

void bus_watch_free(struct bus_watch *watch)
{
	if (watch == NULL)
		return;
	for (size_t i = 0; i < watch->told_count; i++)
		free(watch->told[i]);
	word_list_release(&watch->subscribed);
	free(watch->published);
	free(watch);
}

static bool is_heard(const struct bus_watch *watch, const char *address)
{
	for (size_t i = 0; i < watch->subscribed.count; i++)
		if (bus_meets(watch->subscribed.words[i], address))
			return true;
	return false;
}

static bool bus_watch_was_told(const struct bus_watch *watch, const char *address)
{
	for (size_t i = 0; i < watch->told_count; i++)
		if (strcmp(watch->told[i], address) == 0)
			return true;
	return watch->told_count == TOLD_MAX;
}

static void bus_watch_tell(const struct bus_watch *watch, const char *address)
{
	static const char what_comes[] =
		"messages arrive a second late, unsaved ones not at all";

	if (watch->published != NULL)
		journal_warning("another longroom-history on this database "
		                "publishes on %s, this one on %s: unless "
		                "bus.subscribe names both, %s",
		                address, watch->published, what_comes);
	else
		journal_warning("a longroom-history on this database publishes on "
		                "%s, which bus.subscribe does not name: its %s",
		                address, what_comes);
}

bool bus_watch_is_due(struct bus_watch *watch)
{
	int64_t now_ms = clock_monotonic_ms();

	if (now_ms < watch->next_ms)
		return false;
	watch->next_ms = now_ms + LOOK_MS;
	return true;
}

void bus_watch_see(void *context, const char *address)
{
	struct bus_watch *watch = context;

	if (bus_watch_was_told(watch, address) ||
	    (is_heard(watch, address) &&
	     (watch->published == NULL || is_heard(watch, watch->published))))
		return;
	watch->told[watch->told_count++] = memory_copy(address, strlen(address));
	bus_watch_tell(watch, address);
}
