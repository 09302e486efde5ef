/* Clients that send: each has one connection, kept alive, and one message on
 * its way at a time. */
#ifndef LONGROOM_LOAD_SENDER_H
#define LONGROOM_LOAD_SENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "check.h"
#include "connection.h"
#include "latency.h"
#include "options.h"
#include "schedule.h"

struct sender;

struct senders {
	const struct options *options;
	struct schedule *schedule;
	struct check *check;
	struct sender *list;
	uint32_t count;
	uint32_t *free; /* a ring of idle senders */
	uint32_t free_first, free_count;
	char *content, *body, *request; /* for the message being sent */
	size_t request_room;

	uint64_t sent;       /* requests, repeated ones included */
	uint64_t repeated;
	uint64_t unanswered; /* requests */
	uint64_t accepted;   /* messages */
	uint64_t wrong;      /* 2xx that were not asked for, or not the message */
	uint64_t statuses[600]; /* answers by status */
	int64_t first_sent_ns, last_answer_ns;
	struct latency latency; /* of messages: from the first POST on */
};

void senders_init(struct senders *senders, const struct options *options,
                  struct network *network, struct schedule *schedule,
                  struct check *check);
void senders_release(struct senders *senders);

bool senders_are_busy(const struct senders *senders);

/* Sends the message with a free sender; there must be one. */
void senders_post(struct senders *senders, uint32_t number);

#endif
