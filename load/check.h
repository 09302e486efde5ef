/* Checks every delivery: compares what followers receive with what was sent, and
 * counts.
 *
 * Followers 0 to readers-1 are the rooms' histories, read at the end; after them
 * come the waiters. The ledger keeps the followers' positions, one for each room that
 * a follower follows: what the ledger calls a follower is a place here. This module
 * checks contents, rooms and latencies, and the order across the rooms of a waiter, and
 * words the errors. */
#ifndef LONGROOM_LOAD_CHECK_H
#define LONGROOM_LOAD_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "latency.h"
#include "ledger.h"
#include "mark.h"
#include "options.h"
#include "page.h"
#include "schedule.h"

/* A message of the run. All 0: not sent yet. */
struct message {
	int64_t sent_ns; /* the first time */
	int64_t id;      /* as far as known, else 0 */
	uint32_t sender;
	uint32_t sequence;
};

struct check {
	const struct options *options;
	struct schedule *schedule; /* is told of deliveries */
	struct mark_style style;
	struct ledger ledger;
	struct message *messages;
	uint32_t readers, waiters;
	uint32_t rooms_each;          /* of a waiter; a reader has one */
	int64_t *newest;              /* a waiter's highest id, in all of its rooms */
	unsigned char **unsaved_seen; /* a waiter's bits for each room; NULL: none so far */

	uint64_t deliveries;  /* to waiters, each once */
	uint64_t full_answers; /* polls that brought messages, and pieces of streams */
	uint64_t from_history; /* messages that readers saw */
	uint64_t unsaved, foreign;
	uint64_t doubled, out_of_order, damaged, gaps, resets;
	int64_t last_delivery_ns;
	struct latency latency;
	int complaints;
};

void check_init(struct check *check, const struct options *options,
                struct schedule *schedule, uint32_t tag);
void check_release(struct check *check);

/* How many rooms the follower follows, and its ith. */
static inline uint32_t check_rooms(const struct check *check, uint32_t follower)
{
	return follower < check->readers ? 1 : check->rooms_each;
}

/* Where its places in the ledger begin. */
static inline uint32_t check_place(const struct check *check, uint32_t follower)
{
	return follower < check->readers
	               ? follower
	               : check->readers +
	                         (follower - check->readers) * check->rooms_each;
}

static inline uint32_t check_room(const struct check *check, uint32_t follower,
                                  uint32_t i)
{
	return (check_place(check, follower) + i) % check->ledger.rooms;
}

/* Prints to stderr what went wrong, the first few times. */
void check_complain(struct check *check, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Call it before the message's first POST. Later calls change nothing: a POST
 * that is repeated must have the same content. */
void check_sending(struct check *check, uint32_t number, uint32_t sender,
                   uint32_t sequence, int64_t now_ns);

/* Writes the message's content; as mark_write. */
size_t check_content(const struct check *check, uint32_t number, char *content);

/* The POST was answered with this id. */
void check_posted(struct check *check, uint32_t number, int64_t id);

/* The follower begins after this page. */
void check_joined(struct check *check, uint32_t follower,
                  const struct page *page);

/* A reader follows from here on, from where it joined. */
void check_reads(struct check *check, uint32_t reader);

void check_page(struct check *check, uint32_t follower, const struct page *page,
                int64_t received_ns);

/* Prints some of the lost messages. */
void check_complain_lost(struct check *check);

#endif
