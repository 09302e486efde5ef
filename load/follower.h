/* Clients that follow rooms. Waiters join and then poll after their cursor for ever,
 * or keep a stream. Readers mark the end of each room's history at the start, and read
 * what follows it at the end.
 *
 * After an error they do as PROTOCOL says: wait a moment, repeat with the same
 * cursor. After a stream they wait as long as it has asked for, as browsers do; if they
 * can't connect, as pollers. The check judges the contents of pages. */
#ifndef LONGROOM_LOAD_FOLLOWER_H
#define LONGROOM_LOAD_FOLLOWER_H

#include <stdbool.h>

#include "client.h"

void followers_init(struct followers *followers, const struct options *options,
                    struct network *network, struct check *check);
void followers_release(struct followers *followers);

/* Starts as many waiters as may join now. Call it until all have joined. */
void followers_join_more(struct followers *followers);
bool followers_have_joined(const struct followers *followers);

/* Starts the readers. */
void followers_read(struct followers *followers);
bool followers_have_read(const struct followers *followers);

#endif
