/* Who waits where, and what they get: the heart of longroom-pushd.
 *
 * The hub holds the log up to `newest`, all of it that is after window.from in
 * the window. Who feeds it (follower.h) appends messages in the order of the
 * log and then calls hub_deliver().
 *
 * What a waiter lacks is decided by the two parts of its cursor: of messages
 * with an id those above cursor.id, of the others those above cursor.position.
 * Whether its cursor is of this log is decided by the log's incarnations. That is
 * another's matter as well if the hub does not hold them all yet: so a tag that it
 * does not know, and an id beyond what it holds, wait for the next look at the log.
 * hub_ask() and what happens later lead to one call of a handler, with a delivery or
 * a problem; a waiter that goes away says so by hub_leave(). What deliveries look
 * like on the wire is the handlers' business.
 *
 * The members of struct hub are written by the hub's verbs alone. Others than the
 * follower, which is of the hub's room, read them by hub_status(). */
#ifndef LONGROOM_HUB_H
#define LONGROOM_HUB_H

#include "base/complaint.h"
#include "base/word_list.h"
#include "codec/problem.h"
#include "hub/delivery.h"
#include "hub/log_reader.h"
#include "hub/waiter.h"
#include "hub/window.h"

/* How a waiter hears of it. It is idle by then, and once it was given something it
 * may ask again at once, from within, with the cursor of the delivery or another:
 * that is all that a stream needs. One that must_answer must not, or there is no
 * end to it. */
struct hub_handlers {
	/* Has what it asked for. Borrows the delivery. */
	void (*delivered)(struct waiter *waiter, struct delivery *delivery);
	/* Can't have it. */
	void (*refused)(struct waiter *waiter, struct problem problem);
};

struct hub_options {
	int64_t window_bytes;
	int64_t reads; /* of rooms under way at the most */
	const struct word_list *ephemeral; /* patterns of rooms that are in no log.
	                                    * Borrowed; NULL: none is */
};

struct hub {
	struct window window;
	struct rooms rooms;
	struct log_reader *reader;
	const struct hub_handlers *handlers;
	int64_t (*want_look)(void *context); /* see hub_follow() */
	void *context;

	const struct word_list *ephemeral;
	bool ready;     /* the window was filled */
	bool failing;   /* the log can't be read */
	char trouble[STORE_ERROR_MAX]; /* what the operator has to mend, or "" */
	bool draining;  /* whoever would wait is sent away */
	int64_t retry_most_ms; /* draining: and comes back within it */
	bool behind;    /* the log has more than was appended so far */
	uint32_t log;   /* the tag of the log's newest incarnation */
	struct incarnations incarnations; /* of the log; they end with it */
	int64_t newest; /* id up to which it is held */
	int64_t complete_ms; /* when it was all of the log the last time, by a read
	                      * that began then; monotonic */
	int64_t reads;  /* of rooms, asked for and not back */
	int64_t reads_limit; /* no more are asked for */
	struct complaint about_reads, about_failing;
	uint32_t epoch; /* names this hub's positions */
	struct list unsettled; /* struct waiter */
	struct list dirty;     /* struct room, with messages to deliver */
	struct list long_pages; /* struct waiter, QUEUED */
	int64_t render_left; /* bytes of long pages, of the share */
	int64_t read_left;   /* ... and of those that were read from the log */
};

/* What an operator is told. */
struct hub_status {
	bool is_ready;   /* it has followed the log up to its end */
	bool is_failing; /* the log can't be read */
	const char *trouble; /* to be mended, or "". Borrowed until the next call
	                      * of the hub */
	int64_t complete_ms; /* when it had all of the log; monotonic */
	int64_t reads;   /* of rooms, under way */
	int64_t long_pages; /* that wait for their share */
	size_t rooms;
	int64_t window_messages, window_bytes, window_limit_bytes;
};

/* Borrows all. */
void hub_init(struct hub *hub, const struct hub_options *options,
              struct log_reader *reader, const struct hub_handlers *handlers);
/* Takes a hub without waiters. */
void hub_release(struct hub *hub);

/* Changes what may be changed of the options: the limits. */
void hub_set_limits(struct hub *hub, int64_t window_bytes, int64_t reads);

struct hub_status hub_status(const struct hub *hub);

/* Asks for what the room has after the waiter's cursor (or from now on). */
void hub_ask(struct hub *hub, struct waiter *waiter, const struct room_name *room);

/* Prepares the next share of the long pages that are wanted (turn.h). True: there
 * are more. */
bool hub_go_on(struct hub *hub);
/* Whether something of the share has been taken, or is waited for: another is to
 * follow after the pause. */
bool hub_needs_share(const struct hub *hub);

/* The waiter's time is up: it gets an empty delivery now, or as soon as the read of
 * the log that it waits for is back. True: it has had it. */
bool hub_time_out(struct hub *hub, struct waiter *waiter);

/* Takes a waiter that waits for the log's sake, or for a long page, out; it is
 * refused. */
void hub_give_up(struct hub *hub, struct waiter *waiter);

/* The waiter has gone. */
void hub_leave(struct hub *hub, struct waiter *waiter);

/* From now on nobody is to wait, and so many waiters will be sent away. */
void hub_drain(struct hub *hub, size_t waiters);

/* After that: the waiter is to be answered now. It gets an empty delivery with its
 * cursor and a time to come back, drawn at random. One that has no cursor yet, for
 * the hub is not ready, gets that as soon as it is: any other place would miss
 * something, or bring what is old. */
void hub_drain_waiter(struct hub *hub, struct waiter *waiter);

/* For the follower: */

/* want_look(context) has the log looked at as soon as that can be, and returns the
 * number of that look. */
void hub_follow(struct hub *hub, int64_t (*want_look)(void *context),
                void *context);

/* The log is `log` and is held up to `from`; nothing of it is in the window.
 * Waiters are answered once hub_set_ready() was called. */
void hub_start_over(struct hub *hub, uint32_t log, int64_t from);
/* Right after that: which incarnations the log has had. Until then it is but the
 * one that it was started over with. */
void hub_know_incarnations(struct hub *hub, const struct incarnations *list);
void hub_set_ready(struct hub *hub);

/* Fills in the names of rooms of which it is not known where they begin, at most
 * so many; returns how many they are. */
size_t hub_unknown_rooms(const struct hub *hub, struct room_name *rooms,
                         size_t most);
/* Where these rooms begin, read at `end`: a poll that has all that the window
 * begins after needs no read of the log any more. */
void hub_learn(struct hub *hub, const struct room_name *rooms,
               const struct room_state *states, size_t count,
               const struct log_end *end);

/* The log can't be read, and why: nobody is to wait for it. */
void hub_set_failing(struct hub *hub, const char *why);
/* It can, but for this trouble, or "". */
void hub_recover(struct hub *hub, const char *trouble);

/* Messages of rooms were changed in the log, or removed from it, as was read at
 * `end`. What the window has of them goes, and polls from before read the log
 * again; those who wait and now lack something are told. */
void hub_change_rooms(struct hub *hub, const struct room_change *changes,
                      size_t count, const struct log_end *end);

/* Appends a message. id is above hub.newest, or 0: in no log. */
void hub_append(struct hub *hub, const struct room_name *name, int64_t id,
                struct text json);
/* All that the log has up to here was appended; and whether it has more. */
void hub_advance(struct hub *hub, int64_t newest, bool is_behind);
/* What a read that began then (monotonic) has found is all held. */
void hub_set_complete(struct hub *hub, int64_t began_ms);
/* Gives what was appended to those who wait for it. */
void hub_deliver(struct hub *hub);
/* Look number `look` has found the log's end: whoever has waited for it, or for
 * what came with it, is decided. */
void hub_log_checked(struct hub *hub, int64_t look);

#endif
