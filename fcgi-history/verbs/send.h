/* POST /rooms/{room}/messages (PROTOCOL section 4). */
#ifndef LONGROOM_SEND_H
#define LONGROOM_SEND_H

#include "store/store.h"
#include "verbs/request.h"
#include "verbs/send_limits.h"

/* How to take messages. All is borrowed for the call. */
struct send_rules {
	const struct limits_settings *limits;
	const struct rooms_settings *rooms;
	bool reject_unsaved;      /* don't broadcast what can't be saved */
	struct send_limits *sent; /* NULL: no limits */
};

/* Reads a message. True: request->save is ready; save it. False: the answer is an
 * error. */
bool send_begin(const struct send_rules *rules, struct request *request);

/* Answers once the save has its outcome. The store is for reading. */
void send_complete(struct store *store, struct request *request);

#endif
