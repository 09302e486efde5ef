/* A waiter: one request for a feed's messages after a cursor.
 *
 * A waiter is part of a connection. It is idle, or in exactly one list of the hub or
 * of its feed; its state says which:
 *
 *     WAITER_IDLE       none
 *     WAITER_UNSETTLED  hub.unsettled: the hub must read more of the log first
 *     WAITER_READING    feed.queued or feed.asking: before the window
 *     WAITER_RESETTING  feed.resetting or feed.reset_asking: its cursor is not valid
 *     WAITER_QUEUED     hub.long_pages: will get a long page in its turn
 *     WAITER_PARKED     feed.parked: has everything, waits for new messages; or, if it
 *                       is patient, feed.patient: has everything but signals */
#ifndef LONGROOM_WAITER_H
#define LONGROOM_WAITER_H

#include "codec/cursor.h"
#include "hub/feed.h"

enum waiter_state {
	WAITER_IDLE,
	WAITER_UNSETTLED,
	WAITER_READING,
	WAITER_RESETTING,
	WAITER_QUEUED,
	WAITER_PARKED,
};

struct waiter {
	struct list link;
	struct feed *feed; /* set unless IDLE */
	struct cursor cursor;
	int64_t checked_by;    /* UNSETTLED: the check of the log that decides */
	enum waiter_state state;
	bool from_now;         /* begin at the log's end; cursor is not set yet */
	bool must_answer;      /* its time is up: an empty delivery will do */
	bool is_patient;       /* signals alone may reach it later (signals.c) */
	bool is_long;          /* its page may be long, whatever the messages */
};

#endif
