/* Shared by the hub's files. Others include hub/hub.h. */
#ifndef LONGROOM_HUB_PRIVATE_H
#define LONGROOM_HUB_PRIVATE_H

#include "hub/hub.h"
#include "loop/turn.h"

/* The only function that changes a waiter's state. NULL: in no list. */
static inline void hub_move(struct waiter *waiter, enum waiter_state state,
                            struct list *to)
{
	waiter->state = state;
	if (to != NULL)
		list_append(to, &waiter->link);
	else
		list_remove(&waiter->link);
}

static inline void hub_park(struct waiter *waiter)
{
	struct feed *feed = waiter->feed;

	hub_move(waiter, WAITER_PARKED,
	         waiter->is_patient ? &feed->patient : &feed->parked);
}

static inline struct waiter *hub_first_waiter(const struct list *list)
{
	return LIST_OWNER(list->next, struct waiter, link);
}

/* Takes it out of its list, whatever its state. */
static inline void hub_make_idle(struct hub *hub, struct waiter *waiter)
{
	struct feed *feed = waiter->feed;

	hub_move(waiter, WAITER_IDLE, NULL);
	waiter->feed = NULL;
	feeds_leave(&hub->feeds, feed);
}

/* Messages up to this id were removed from some room. */
static inline void hub_note_removal(struct hub *hub, int64_t id)
{
	struct room *whole = &hub->window.whole;

	if (id > whole->pruned)
		whole->pruned = id;
}

/* asking.c: */

/* Puts a waiter into the state that its cursor requires. */
void hub_decide(struct hub *hub, struct waiter *waiter);
/* Has a waiter wait for the next check of the log. */
void hub_wait_for_look(struct hub *hub, struct waiter *waiter);

/* giving.c: */

/* Returns the cursor at which everything has been delivered. */
struct cursor hub_place_now(const struct hub *hub);
/* Returns the place just before an entry, in any feed that contains its room. */
static inline struct cursor hub_place_before(const struct entry *entry)
{
	return (struct cursor){
		.id = entry->id > 0 ? entry->id - 1 : entry->log_id,
		.position = entry->position - 1,
	};
}
/* Marks a cursor as one of the current log. */
static inline void hub_name_log(const struct hub *hub, struct cursor *cursor)
{
	cursor->names_log = true;
	cursor->log = hub->log;
}

/* Each makes the waiter idle, and calls its handler. The delivery is borrowed. */
void hub_give(struct hub *hub, struct waiter *waiter, struct delivery *delivery);
void hub_refuse(struct hub *hub, struct waiter *waiter, enum problem_type type,
                const char *detail);
void hub_refuse_storage(struct hub *hub, struct waiter *waiter);
void hub_refuse_storage_all(struct hub *hub, struct list *waiters);

/* Returns a reference to a delivery of a feed, without messages. */
struct delivery *hub_new_delivery(const struct hub *hub, const struct feed *feed);
bool hub_is_full(const struct delivery *delivery);

/* Returns a reference to a delivery of the window's messages of the feed after a
 * cursor. */
struct delivery *hub_news_after(struct hub *hub, const struct feed *feed,
                                const struct cursor *place);

/* Uses up some of the share of time for long pages. */
static inline void hub_charge_page(struct hub *hub, const struct delivery *delivery)
{
	if (delivery->messages.size > TURN_LONG_BYTES)
		hub->render_left -= (int64_t)delivery->messages.size;
}

/* Whether it has to wait for its turn because of what its page has beside messages.
 * Then the caller moves it to hub.long_pages, where it goes on from its own cursor. */
static inline bool hub_is_long_out_of_turn(const struct hub *hub,
                                           const struct waiter *waiter)
{
	return waiter->is_long && waiter->state != WAITER_QUEUED &&
	       !window_is_over(&hub->window) &&
	       (hub->render_left <= 0 || !list_is_empty(&hub->long_pages));
}

/* Whether the messages after a place are a long page that is not rendered yet, while
 * the share of time for such pages is used up or others came first. */
bool hub_is_out_of_turn(struct hub *hub, const struct feed *feed,
                        const struct cursor *place);

/* A page for a feed of several that has to wait for its turn: hub_is_out_of_turn(),
 * and waiting can't cost it any of its messages. */
bool hub_has_to_wait(struct hub *hub, const struct feed *feed,
                     const struct cursor *place);

/* Gives the waiter the window's messages after a place; those with the same place share
 * a delivery. */
void hub_give_after(struct hub *hub, struct waiter *waiter,
                    const struct cursor *place);
/* Gives the waiter the window's messages, at once or in its turn. */
void hub_give_news(struct hub *hub, struct waiter *waiter);
/* Gives it an empty delivery with the cursor at which everything is delivered. */
void hub_give_empty(struct hub *hub, struct waiter *waiter);

/* signals.c: */

static inline bool feed_is_deferring(const struct feed *feed)
{
	return !list_is_empty(&feed->deferring);
}

/* Patient waiters parked in the feed lack signals, which came after this position: they
 * get them soon. */
void hub_defer(struct hub *hub, struct feed *feed, int64_t position);
/* Whether a waiter that asks and lacks messages lacks nothing but signals, and can wait
 * for these: then it parks, and gets them soon. */
bool hub_puts_off(struct hub *hub, const struct waiter *waiter);
/* Gives the feed's patient waiters what each lacks. Returns their number. The feed may
 * be freed by then. */
int64_t hub_give_deferred(struct hub *hub, struct feed *feed);
void hub_give_all_deferred(struct hub *hub);
/* Whether a parked waiter lacks messages. */
bool hub_is_deferred(const struct waiter *waiter);
/* Gives them to a waiter that lacks some. False: it waits for its turn. */
bool hub_give_lacking(struct hub *hub, struct waiter *waiter);
/* Up to which position the window may drop messages that are in no log. */
int64_t hub_droppable(const struct hub *hub);

/* reading.c: */

/* Starts or joins a read of the log after the waiter's cursor. */
void hub_read(struct hub *hub, struct waiter *waiter);
/* The waiter's cursor is not valid: it gets the newest messages of one room, which
 * are read for it, and none of several. */
void hub_reset(struct hub *hub, struct waiter *waiter);

/* Takes over what was read about a room at `end`. */
void hub_learn_room(struct hub *hub, struct room *room,
                    const struct room_state *state, const struct log_end *end);

#endif
