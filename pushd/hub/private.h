/* What the hub's files share. Others include hub/hub.h. */
#ifndef LONGROOM_HUB_PRIVATE_H
#define LONGROOM_HUB_PRIVATE_H

#include "hub/hub.h"

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

static inline struct waiter *hub_first_waiter(const struct list *list)
{
	return LIST_OWNER(list->next, struct waiter, link);
}

/* It wants nothing any more, wherever it has come to. */
static inline void hub_make_idle(struct hub *hub, struct waiter *waiter)
{
	struct room *room = waiter->room;

	hub_move(waiter, WAITER_IDLE, NULL);
	waiter->room = NULL;
	rooms_leave(&hub->rooms, room);
}

/* asking.c: */

/* Leads a waiter to where its cursor says that it belongs. */
void hub_decide(struct hub *hub, struct waiter *waiter);
/* ... which only the next look at the log can say. */
void hub_wait_for_look(struct hub *hub, struct waiter *waiter);

/* giving.c: */

/* The place where all is delivered. */
struct cursor hub_place_now(const struct hub *hub);
/* That a cursor is of the log that is followed. */
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

/* A delivery of a room without messages. Returns a reference. */
struct delivery *hub_new_delivery(const struct hub *hub, const struct room *room);
bool hub_is_full(const struct delivery *delivery);

/* What the window has of the room after a place. Returns a reference. */
struct delivery *hub_news_after(const struct hub *hub, const struct room *room,
                                const struct cursor *place);

/* Gives the waiter what the window has for it, at once or in its turn. */
void hub_give_news(struct hub *hub, struct waiter *waiter);
/* ... or nothing, but the place where all is delivered. */
void hub_give_empty(struct hub *hub, struct waiter *waiter);

/* reading.c: */

/* The waiter gets what a read of the log finds after its cursor. */
void hub_read(struct hub *hub, struct waiter *waiter);
/* Its cursor is of no use: it gets the newest messages. */
void hub_reset(struct hub *hub, struct waiter *waiter);

/* What was read of a room at `end`. */
void hub_learn_room(struct room *room, const struct room_state *state,
                    const struct log_end *end);

#endif
