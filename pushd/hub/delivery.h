/* What a waiter is given: the messages that a room has after a cursor, and the
 * cursor behind them. It knows no protocol: HTTP, and whatever else may show it,
 * are presenters above the hub.
 *
 * It is built by delivery_new(), and delivery_add() for each message. From then on
 * it is immutable but for the forms that its presenters keep on it, so that a crowd
 * that gets the same delivery shares one piece of bytes. Reference counted; one
 * thread. */
#ifndef LONGROOM_DELIVERY_H
#define LONGROOM_DELIVERY_H

#include "base/buffer.h"
#include "codec/cursor.h"
#include "codec/room_name.h"

enum { DELIVERY_FORMS = 4 }; /* that may be kept; presenter.h gives them out */

/* A message of it. */
struct delivery_item {
	int64_t id, position; /* of the cursor behind it */
	size_t end;           /* of its JSON in delivery.messages; the next one
	                       * begins behind the comma */
};

struct delivery {
	size_t refcount;
	struct room_name room;
	struct cursor cursor; /* behind all of it: to ask again with */
	int64_t earliest; /* the log's oldest id of the room; 0: none */
	int64_t retry_ms; /* to be waited before asking again; 0: not at all */
	bool more;        /* there is more after the cursor by now */
	bool gap;         /* messages were removed that the cursor passes */
	bool reset;       /* the cursor that came was of no use: the newest page */
	bool ephemeral;   /* the room's messages are never stored */
	int64_t count;    /* of messages */
	struct buffer messages; /* their JSON, with commas between */
	struct delivery_item *items; /* one for each message */
	size_t item_capacity;
	struct delivery_form {
		void *form; /* NULL: none was made yet */
		void (*unref)(void *form);
	} forms[DELIVERY_FORMS];
};

/* Returns one reference; everything else is empty. */
struct delivery *delivery_new(const struct room_name *room);

/* Adds a message, which ends at these parts of a cursor. */
void delivery_add(struct delivery *delivery, struct text json, int64_t id,
                  int64_t position);

struct delivery *delivery_ref(struct delivery *delivery);
/* NULL is as good as none. */
void delivery_unref(struct delivery *delivery);

/* The JSON of one message, and the cursor behind it: each may be shown as an event
 * of its own. `index` is below delivery->count. Borrowed. */
struct text delivery_message(const struct delivery *delivery, size_t index);
struct cursor delivery_cursor_after(const struct delivery *delivery,
                                    size_t index);

/* What a presenter has made of it. Borrowed; NULL: nothing yet. `kind`, below
 * DELIVERY_FORMS, says which form. */
static inline void *delivery_form(const struct delivery *delivery, unsigned kind)
{
	return delivery->forms[kind].form;
}

/* Keeps a form, of which it takes one reference, until the delivery is freed. There
 * is none of the kind yet. */
void delivery_keep_form(struct delivery *delivery, unsigned kind, void *form,
                        void (*unref)(void *form));

/* Whether it tells anything, beside that the cursor has moved on. */
static inline bool delivery_is_news(const struct delivery *delivery)
{
	return delivery->count > 0 || delivery->gap || delivery->reset;
}

#endif
