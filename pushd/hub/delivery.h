/* A delivery: a feed's messages after a cursor, and the cursor after them. It knows
 * no protocol; presenters above the hub turn it into bytes.
 *
 * It is built with delivery_new(), and delivery_add() for each message. Then it is
 * immutable, except for its forms: the bytes that presenters render and keep on it.
 * All waiters that get the same delivery share them. Reference-counted; one
 * thread. */
#ifndef LONGROOM_DELIVERY_H
#define LONGROOM_DELIVERY_H

#include "base/buffer.h"
#include "codec/cursor.h"
#include "codec/room_name.h"

enum { DELIVERY_FORMS = 4 }; /* kinds of forms; presenter.h assigns them */

/* A message of a delivery. */
struct delivery_item {
	int64_t id, position; /* of the cursor after it */
	size_t end;           /* of its JSON in delivery.messages; the next one
	                       * begins after the comma */
};

struct delivery {
	size_t refcount;
	bool is_several; /* of several rooms, or of all */
	struct room_name room; /* otherwise */
	struct cursor cursor; /* after all of it, to ask again with */
	int64_t earliest; /* of one room: the id of its oldest message; 0: none */
	int64_t retry_ms; /* wait this long before asking again; 0: no wait */
	bool more;        /* there are more messages after it */
	bool gap;         /* the cursor passes messages that were removed */
	bool reset;       /* the cursor could not be followed: the newest page of
	                   * one room, nothing of several */
	bool ephemeral;   /* of one room: its messages are never stored */
	int64_t count;    /* of messages */
	struct buffer messages; /* their JSON, with commas between */
	/* Names of rooms as JSON strings, with commas between: those with a gap, and
	 * those that were asked for and may not be read. */
	struct buffer gap_rooms, forbidden;
	struct delivery_item *items; /* one for each message */
	size_t item_capacity;
	struct delivery_form {
		void *form; /* NULL: not made yet */
		void (*unref)(void *form);
	} forms[DELIVERY_FORMS];
};

/* Returns one reference to an empty delivery. NULL: of several rooms. */
struct delivery *delivery_new(const struct room_name *room);

/* Says that messages of a room were removed. */
void delivery_add_gap(struct delivery *delivery, const struct room_name *room);

/* Adds a message. `id` and `position` are those of the cursor after it. */
void delivery_add(struct delivery *delivery, struct text json, int64_t id,
                  int64_t position);

struct delivery *delivery_ref(struct delivery *delivery);
/* Does nothing for NULL. */
void delivery_unref(struct delivery *delivery);

/* Return the JSON of one message (borrowed), and the cursor after it, so that each
 * message can be sent as an event of its own. `index` is below delivery->count. */
struct text delivery_message(const struct delivery *delivery, size_t index);
struct cursor delivery_cursor_after(const struct delivery *delivery,
                                    size_t index);

/* Returns the form of this kind that a presenter has made. Borrowed; NULL: none yet.
 * `kind` is below DELIVERY_FORMS. */
static inline void *delivery_form(const struct delivery *delivery, unsigned kind)
{
	return delivery->forms[kind].form;
}

/* Keeps a form until the delivery is freed, and takes one reference to it. There
 * must be none of this kind yet. */
void delivery_keep_form(struct delivery *delivery, unsigned kind, void *form,
                        void (*unref)(void *form));

/* Whether it has anything to report besides a new cursor. */
static inline bool delivery_is_news(const struct delivery *delivery)
{
	return delivery->count > 0 || delivery->gap || delivery->reset;
}

#endif
