/* The hub, the core of longroom-pushd: it keeps the waiters of each feed (a room,
 * several, or all; feed.h) and gives them new messages.
 *
 * The hub holds the log up to `newest`; the window has all of it after window.from.
 * The follower (follower.h) appends messages in the order of the log, then calls
 * hub_deliver().
 *
 * The two parts of a waiter's cursor determine which messages it lacks: those with
 * an id above cursor.id, and those without an id whose position is above
 * cursor.position. The log's incarnations determine whether the cursor belongs to
 * this log. The hub may not know the newest incarnation yet. So a waiter with an
 * unknown tag, or with an id beyond what the hub holds, waits until the log has been
 * read again.
 *
 * hub_ask() leads to exactly one call of a handler, at once or later, with a
 * delivery or a problem, unless the waiter leaves first with hub_leave(). The
 * handlers decide what deliveries look like on the wire.
 *
 * Only the hub's verbs write the members of struct hub. The follower, which is in
 * this folder, reads them; other modules call hub_status(). */
#ifndef LONGROOM_HUB_H
#define LONGROOM_HUB_H

#include "base/complaint.h"
#include "base/word_list.h"
#include "codec/problem.h"
#include "hub/feeds.h"
#include "hub/log_reader.h"
#include "hub/news.h"
#include "hub/waiter.h"

/* The handlers are called with the outcome. The waiter is idle by then. After a
 * delivery it may ask again from within the handler, with the delivery's cursor or
 * another one: that is all that a stream needs. A waiter with must_answer set must
 * not ask again, or there would be no end. */
struct hub_handlers {
	/* The waiter gets a delivery, which the handler borrows. */
	void (*delivered)(struct waiter *waiter, struct delivery *delivery);
	/* The waiter gets an error. */
	void (*refused)(struct waiter *waiter, struct problem problem);
};

struct hub_options {
	int64_t window_bytes;
	int64_t reads; /* maximum number of feeds being read */
	const struct word_list *ephemeral; /* patterns of rooms that are in no log.
	                                    * Borrowed; NULL: none is */
};

struct hub {
	struct window window;
	struct rooms rooms;
	struct feeds feeds;
	struct log_reader *reader;
	const struct hub_handlers *handlers;
	int64_t (*want_look)(void *context); /* see hub_follow() */
	void *context;

	const struct word_list *ephemeral;
	bool ready;     /* the window was filled */
	bool failing;   /* the log can't be read */
	char trouble[STORE_ERROR_MAX]; /* the problem for the operator, or "" */
	bool draining;  /* waiters are no longer parked */
	int64_t retry_most_ms; /* draining: clients come back within this time */
	bool behind;    /* the log has more than was appended so far */
	uint32_t log;   /* the tag of the log's newest incarnation */
	struct incarnations incarnations; /* of the log; they end with it */
	int64_t starts; /* how often the hub has started over */
	int64_t newest; /* the hub holds the log up to this id */
	int64_t complete_ms; /* when the last read began after which the hub had
	                      * all of the log; monotonic */
	int64_t reads;  /* of feeds, under way */
	int64_t reads_limit; /* maximum of reads */
	struct complaint about_reads, about_failing;
	uint32_t epoch; /* identifies this hub's positions */
	struct list unsettled; /* struct waiter */
	struct list dirty;     /* struct room, with messages to deliver */
	struct list hungry;    /* struct feed, while those are delivered */
	struct list deferring; /* struct feed, due first first */
	int64_t deferred_from; /* while there are any: what came up to this position
	                        * was given to all who waited then */
	struct list long_pages; /* struct waiter, QUEUED */
	int64_t render_left; /* bytes of long pages left in this share (turn.h) */
	int64_t read_left;   /* ... and of pages read from the log */
	struct news news;    /* memory for the messages of the next delivery */
};

/* For the operator. */
struct hub_status {
	bool is_ready;   /* it has followed the log up to its end */
	bool is_failing; /* the log can't be read */
	const char *trouble; /* the problem to fix, or "". Borrowed until the next
	                      * call of the hub */
	int64_t complete_ms; /* when it last had all of the log; monotonic */
	int64_t reads;   /* of feeds, under way */
	int64_t long_pages; /* waiting for their share (turn.h) */
	size_t rooms;
	int64_t window_messages, window_bytes, window_limit_bytes;
};

/* Borrows all arguments. */
void hub_init(struct hub *hub, const struct hub_options *options,
              struct log_reader *reader, const struct hub_handlers *handlers);
/* The hub must have no waiters. */
void hub_release(struct hub *hub);

/* Changes the limits, the only options that can change. */
void hub_set_limits(struct hub *hub, int64_t window_bytes, int64_t reads);

struct hub_status hub_status(const struct hub *hub);

/* Returns the feed of these rooms, held; the caller drops it. `forbidden` is handed on
 * to deliveries of several rooms: the names of rooms that the caller asked for and may
 * not read (delivery.h). Waiters with different ones have different feeds. */
struct feed *hub_hold_feed(struct hub *hub, const struct room_list *rooms,
                           struct text forbidden);
void hub_hold_again(struct hub *hub, struct feed *feed);
void hub_drop_feed(struct hub *hub, struct feed *feed);

/* Asks for the feed's messages after the waiter's cursor (or from now on). */
void hub_ask(struct hub *hub, struct waiter *waiter, struct feed *feed);

/* Renders the next share of the pending long pages (turn.h). True: there are
 * more. */
bool hub_go_on(struct hub *hub);
/* Whether part of the share has been used, or work waits for the next: then another
 * share must follow after the pause. */
bool hub_needs_share(const struct hub *hub);

/* Uses up some of the share, by what a presenter has rendered beside messages. */
void hub_charge(struct hub *hub, size_t bytes);

/* The waiter's time is up: it gets an empty delivery now, or as soon as the read of
 * the log that it waits for is back. True: it already got the delivery. */
bool hub_time_out(struct hub *hub, struct waiter *waiter);

/* Refuses a waiter that waits for a read of the log or for a long page. */
void hub_give_up(struct hub *hub, struct waiter *waiter);

/* Takes out a waiter that is parked, so has everything; its cursor then says up to where.
 * No handler is called. False: it is not parked. */
bool hub_take_parked(struct hub *hub, struct waiter *waiter);

/* The waiter leaves; no handler is called. */
void hub_leave(struct hub *hub, struct waiter *waiter);

/* Begins to drain: from now on no waiter is parked. `waiters` is how many will be
 * drained with hub_drain_waiter(). */
void hub_drain(struct hub *hub, size_t waiters);

/* After hub_drain(): a random time after which a client is to come back, at least 1. */
int64_t hub_draw_retry_ms(const struct hub *hub);

/* After hub_drain(): answers the waiter with an empty delivery, its cursor, and a
 * random time after which to come back. A waiter that has no cursor yet, because the
 * hub is not ready, is answered as soon as the hub is: any other cursor would skip
 * messages or repeat old ones. */
void hub_drain_waiter(struct hub *hub, struct waiter *waiter);

/* For the follower: */

/* want_look(context) starts a check of the log as soon as possible, and returns the
 * check's number. */
void hub_follow(struct hub *hub, int64_t (*want_look)(void *context),
                void *context);

/* Starts with the log `log`, held up to `from`, and an empty window. Waiters are
 * answered once hub_set_ready() was called. */
void hub_start_over(struct hub *hub, uint32_t log, int64_t from);
/* Call right after hub_start_over(): the log's incarnations. Until then only the one
 * of hub_start_over() is known. */
void hub_know_incarnations(struct hub *hub, const struct incarnations *list);
void hub_set_ready(struct hub *hub);

/* Fills in the names of at most `most` rooms whose beginning is not known, and
 * returns their number. */
size_t hub_unknown_rooms(const struct hub *hub, struct room_name *rooms,
                         size_t most);
/* Tells the hub where these rooms begin, as read at `end`. Then a poll whose cursor
 * is not before the window needs no read of the log. */
void hub_learn(struct hub *hub, const struct room_name *rooms,
               const struct room_state *states, size_t count,
               const struct log_end *end);

/* The log can't be read, for the reason `why`: refuses waiters that need it. */
void hub_set_failing(struct hub *hub, const char *why);
/* The log can be read again. `trouble` is a problem that the operator still has to
 * fix, or "". */
void hub_recover(struct hub *hub, const char *trouble);

/* Messages of these rooms were changed or removed in the log, as read at `end`. They
 * are dropped from the window, and polls whose cursor is before them read the log
 * again. The hub answers waiters that now lack messages. */
void hub_change_rooms(struct hub *hub, const struct room_change *changes,
                      size_t count, const struct log_end *end);

/* Appends a message. id is above hub.newest, or 0: in no log. */
void hub_append(struct hub *hub, const struct room_name *name, int64_t id,
                struct text json);
/* Appends a message that was sent with "store":false. */
void hub_append_signal(struct hub *hub, const struct room_name *name,
                       struct text json);
/* All of the log up to `newest` has been appended. is_behind: the log has more. */
void hub_advance(struct hub *hub, int64_t newest, bool is_behind);
/* The hub holds everything found by a read that began at began_ms (monotonic). */
void hub_set_complete(struct hub *hub, int64_t began_ms);
/* Gives the appended messages to the waiters; long pages of several rooms may have to
 * wait for their turns (hub_go_on). */
void hub_deliver(struct hub *hub);
/* When the first signals are due of those that are put off for patient waiters
 * (monotonic); 0: none are. */
int64_t hub_due_ms(const struct hub *hub);
/* Gives a share (turn.h) of those that are due. */
void hub_give_due(struct hub *hub, int64_t now_ms);
/* Drops cached deliveries that are too old to be given again. Call it about once a
 * second. */
void hub_forget_old(struct hub *hub, int64_t now_ms);
/* Check number `look` has reached the log's end: decides about the waiters that
 * waited for this check or an earlier one. */
void hub_log_checked(struct hub *hub, int64_t look);

#endif
