/* POST /rooms/{room}/messages (PROTOCOL section 4). */
#ifndef LONGROOM_SEND_H
#define LONGROOM_SEND_H

#include "store/store.h"
#include "verbs/request.h"
#include "verbs/send_limits.h"

/* How messages are taken. All is borrowed for the call. */
struct send_rules {
	const struct limits_settings *limits;
	const struct rooms_settings *rooms;
	bool reject_unsaved;      /* nobody gets it if it can't be saved */
	struct send_limits *sent; /* NULL: nothing is counted */
};

/* Reads a message. True: it is to be saved, by request->save. False: the error is the
 * answer. */
bool send_begin(const struct send_rules *rules, struct request *request);

/* The save has its outcome: answers. The store is for reading. */
void send_complete(struct store *store, struct request *request);

#endif
