/* Warns of writers that publish where nobody listens: two longroom-history on one
 * database, with buses that bus.subscribe does not both name. What they save is
 * pushed all the same, from the log, a second late; what is not saved is not. */
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

/* Whether it is time for a look: once a second, however often that is asked. */
bool bus_watch_is_due(struct bus_watch *watch);

/* Another writer publishes on this address: warns of it if nobody listens there, and
 * once for each address. The context is the watch. */
void bus_watch_see(void *context, const char *address);

#endif
