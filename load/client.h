/* A client that follows rooms, and what all of them share. For follower.c, which has
 * their life, request.c and stream.c. */
#ifndef LONGROOM_LOAD_CLIENT_H
#define LONGROOM_LOAD_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "check.h"
#include "connection.h"
#include "latency.h"
#include "nchan.h"
#include "options.h"
#include "page.h"

enum {
	CURSOR_SIZE = 65, /* with the NUL */
	RETRY_DEFAULT_MS = 3000, /* as browsers have it */
};

enum client_stage {
	STAGE_JOINING,
	STAGE_WAITING, /* a waiter: its poll is on the way or parked, its stream open */
	STAGE_RESTING, /* a reader between the start and the end */
	STAGE_READING,
	STAGE_DONE,
};

struct follower_client {
	struct connection connection; /* first: its events come with it */
	struct followers *all;
	int64_t asked_ns;
	int64_t away_ns; /* since when it would have its stream back; 0: it has */
	uint32_t number;
	uint32_t retry_ms; /* what the stream has asked for last */
	uint8_t stage;
	bool ready;    /* the stream has begun */
	bool excused;  /* ... or has said why it does not, or why it ends */
	char cursor[CURSOR_SIZE]; /* empty: none yet */
};

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
	char *request; /* room for any request */

	uint64_t polls, answers, empty;
	uint64_t early;         /* empty answers long before the time was up */
	uint64_t server_errors; /* 5xx */
	uint64_t refused;       /* other answers that are no page */
	uint64_t stuck;         /* requests without an answer, or silent streams */

	uint64_t streams;       /* asked for */
	uint64_t ends;          /* that were announced */
	uint64_t comments, cursors, skipped; /* events without messages */
	struct latency returns; /* from the end of the pause to being served again */
};

static inline bool client_is_reader(const struct follower_client *client)
{
	return client->number < client->all->readers;
}

static inline bool client_joins_by_history(const struct follower_client *client)
{
	return client_is_reader(client) ||
	       client->all->options->starts_with_history;
}

static inline bool client_asks_history(const struct follower_client *client)
{
	return client->stage == STAGE_READING ||
	       (client->stage == STAGE_JOINING &&
	        client_joins_by_history(client));
}

static inline bool client_asks_stream(const struct follower_client *client)
{
	return client->all->options->streams && !client_asks_history(client);
}

/* The first of its rooms. */
static inline const char *client_room(const struct follower_client *client)
{
	const struct check *check = client->all->check;

	return check->options->room_names[check_room(check, client->number, 0)];
}

#endif
