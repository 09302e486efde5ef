/* Clients that follow rooms. Waiters join and then poll after their cursor for ever.
 * Readers mark the end of each room's history at the start, and read what follows it
 * at the end.
 *
 * After an error they do as PROTOCOL says: wait a moment, repeat with the same
 * cursor. The check judges the contents of pages. */
#ifndef LONGROOM_LOAD_FOLLOWER_H
#define LONGROOM_LOAD_FOLLOWER_H

#include <stdbool.h>
#include <stdint.h>

#include "check.h"
#include "connection.h"
#include "nchan.h"
#include "options.h"
#include "page.h"

struct follower_client;

struct followers {
	const struct options *options;
	struct network *network;
	struct check *check;
	struct follower_client *list; /* numbered as in the check */
	uint32_t count, readers;
	uint32_t started, joined;
	uint32_t waiters_joined; /* of those that joined */
	uint32_t done; /* readers that have read all */
	struct page page;
	char place[NCHAN_PLACE_SIZE]; /* what page.cursor points to, with nchan */

	uint64_t polls, answers, empty;
	uint64_t early;         /* empty answers long before the time was up */
	uint64_t server_errors; /* 5xx */
	uint64_t refused;       /* other answers that are no page */
	uint64_t stuck;         /* polls without an answer in time */
};

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
