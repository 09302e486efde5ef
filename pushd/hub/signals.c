/* The hub: signals reach patient waiters later.
 *
 * Polls are patient. Each answer costs such a client a request, so in a room where
 * people type every signal would wake everybody. Instead the feed is put into
 * hub.deferring, and its patient waiters get what they lack with the next message, or
 * DELAY_MS after the first signal. As the delay is always the same, hub.deferring is in
 * the order of the due times.
 *
 * A patient waiter's own cursor says what it lacks. Those that parked before a signal
 * have different cursors and lack the same messages; so that they share a delivery, it
 * is made for the place just before the first message that they lack. */
#include "hub/private.h"

#include "base/clock.h"
#include "loop/turn.h"

enum { DELAY_MS = 1000 };

static void begin_deferring(struct hub *hub, struct feed *feed)
{
	if (list_is_empty(&hub->deferring))
		hub->deferred_from = INT64_MAX;
	if (feed_is_deferring(feed))
		return;
	feed->due_ms = clock_monotonic_ms() + DELAY_MS;
	list_append(&hub->deferring, &feed->deferring);
}

/* Once others were given theirs, deferred_from may be lower than necessary: then the
 * window, when it has come so far, has all of them given at once. */
void hub_defer(struct hub *hub, struct feed *feed, int64_t position)
{
	begin_deferring(hub, feed);
	if (position < hub->deferred_from)
		hub->deferred_from = position;
}

/* Signals from before it asked do not count in hub.deferred_from: they are promised to
 * those who waited. */
bool hub_puts_off(struct hub *hub, const struct waiter *waiter)
{
	if (!waiter->is_patient || waiter->must_answer ||
	    waiter->state == WAITER_QUEUED ||
	    news_are_urgent(waiter->feed, &waiter->cursor))
		return false;
	begin_deferring(hub, waiter->feed);
	return true;
}

bool hub_is_deferred(const struct waiter *waiter)
{
	return waiter->is_patient && feed_is_deferring(waiter->feed) &&
	       news_are_there(waiter->feed, &waiter->cursor);
}

/* The place just before the first message that a waiter lacks, which has some to get.
 * Neither part of its cursor may go back. */
static struct cursor place_before_lacking(struct hub *hub,
                                          const struct waiter *waiter)
{
	const struct cursor *own = &waiter->cursor;
	struct cursor place;

	news_begin(&hub->news, waiter->feed, own);
	place = hub_place_before(news_take(&hub->news));
	if (place.id < own->id)
		place.id = own->id;
	if (place.position < own->position)
		place.position = own->position;
	return place;
}

bool hub_give_lacking(struct hub *hub, struct waiter *waiter)
{
	struct cursor place = place_before_lacking(hub, waiter);

	if (hub_has_to_wait(hub, waiter->feed, &place) ||
	    hub_is_long_out_of_turn(hub, waiter)) {
		waiter->cursor.id = place.id;
		waiter->cursor.position = place.position;
		hub_move(waiter, WAITER_QUEUED, &hub->long_pages);
		return false;
	}
	hub_give_after(hub, waiter, &place);
	return true;
}

int64_t hub_give_deferred(struct hub *hub, struct feed *feed)
{
	struct list patient;
	int64_t count = 0;

	list_remove(&feed->deferring);
	/* Taken out first: one that asks again at once may park anew. */
	list_take_all(&patient, &feed->patient);
	for (; !list_is_empty(&patient); count++) {
		struct waiter *waiter = hub_first_waiter(&patient);

		if (news_are_there(waiter->feed, &waiter->cursor))
			hub_give_lacking(hub, waiter);
		else
			hub_park(waiter);
	}
	return count;
}

static struct feed *first_deferring(const struct list *deferring)
{
	return LIST_OWNER(deferring->next, struct feed, deferring);
}

void hub_give_all_deferred(struct hub *hub)
{
	struct list deferring;

	/* Taken out first, as above. */
	list_take_all(&deferring, &hub->deferring);
	while (!list_is_empty(&deferring))
		hub_give_deferred(hub, first_deferring(&deferring));
}

int64_t hub_due_ms(const struct hub *hub)
{
	return list_is_empty(&hub->deferring)
	               ? 0
	               : first_deferring(&hub->deferring)->due_ms;
}

/* A feed's waiters get theirs together, as they get a message. */
void hub_give_due(struct hub *hub, int64_t now_ms)
{
	int64_t left = TURN_DEADLINES;

	while (left > 0 && !list_is_empty(&hub->deferring) &&
	       hub_due_ms(hub) <= now_ms)
		left -= 1 + hub_give_deferred(hub,
		                              first_deferring(&hub->deferring));
}

int64_t hub_droppable(const struct hub *hub)
{
	return list_is_empty(&hub->deferring) ? INT64_MAX : hub->deferred_from;
}
