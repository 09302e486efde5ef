/* Warns of a second longroom-history on the same database that publishes on an
 * address which bus.subscribe does not name. Its saved messages still arrive, from
 * the log, up to a second late; its unsaved messages never arrive. */
#ifndef LONGROOM_BUS_WATCH_H
#define LONGROOM_BUS_WATCH_H

#include <stdbool.h>

#include "base/word_list.h"

struct bus_watch;

/* Copies both. published: the address on which this process publishes, or NULL.
 * Returns, caller frees. */
struct bus_watch *bus_watch_new(const struct word_list *subscribed,
                                const char *published);
void bus_watch_free(struct bus_watch *watch);

/* Whether to look for other writers now: true once a second, however often it is
 * called. */
bool bus_watch_is_due(struct bus_watch *watch);

/* Call when another writer publishes on this address: warns, once for each address,
 * if bus.subscribe does not cover it. The context is the watch. */
void bus_watch_see(void *context, const char *address);

#endif
