/* The hub: makes deliveries from the window and gives them to waiters. */
#include "hub/private.h"

#include "codec/page.h"
#include "codec/pattern.h"
#include "loop/turn.h"
#include "metrics/metrics.h"

/* Bytes: what turns out to be short, or there by now, costs something too. */
enum { QUEUED_COST = 4096 };

struct cursor hub_place_now(const struct hub *hub)
{
	return (struct cursor){
		.names_log = true,
		.log = hub->log,
		.id = hub->newest,
		.has_position = true,
		.epoch = hub->epoch,
		.position = hub->window.position,
	};
}

void hub_give(struct hub *hub, struct waiter *waiter, struct delivery *delivery)
{
	metrics_add(delivery_is_news(delivery) ? METRIC_PUSHD_ANSWERS
	                                       : METRIC_PUSHD_EMPTY_ANSWERS, 1);
	metrics_add(METRIC_PUSHD_DELIVERIES, delivery->count);
	hub_make_idle(hub, waiter);
	hub->handlers->delivered(waiter, delivery);
}

void hub_refuse(struct hub *hub, struct waiter *waiter, enum problem_type type,
                const char *detail)
{
	hub_make_idle(hub, waiter);
	hub->handlers->refused(waiter, (struct problem){type, detail});
}

void hub_refuse_storage(struct hub *hub, struct waiter *waiter)
{
	hub_refuse(hub, waiter, PROBLEM_STORAGE, "the log can't be read now");
}

void hub_refuse_storage_all(struct hub *hub, struct list *waiters)
{
	struct list members;

	list_take_all(&members, waiters);
	while (!list_is_empty(&members))
		hub_refuse_storage(hub, hub_first_waiter(&members));
}

static struct delivery *new_of_room(const struct hub *hub, const struct room *room)
{
	struct delivery *delivery = delivery_new(&room->name);

	delivery->earliest = room->earliest;
	delivery->ephemeral =
		hub->ephemeral != NULL &&
		pattern_list_matches(hub->ephemeral, room->name.string);
	return delivery;
}

struct delivery *hub_new_delivery(const struct hub *hub, const struct feed *feed)
{
	struct delivery *delivery;

	metrics_add(METRIC_PUSHD_RENDERED, 1);
	if (feed->kind == FEED_ROOM)
		return new_of_room(hub, feed->rooms[0].room);
	delivery = delivery_new(NULL);
	buffer_add_text(&delivery->forbidden, buffer_text(&feed->forbidden));
	return delivery;
}

bool hub_is_full(const struct delivery *delivery)
{
	return delivery->count == PAGE_MAX ||
	       delivery->messages.size > PAGE_MAX_BYTES;
}

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

struct delivery *hub_news_after(struct hub *hub, const struct feed *feed,
                                const struct cursor *place)
{
	struct delivery *delivery = hub_new_delivery(hub, feed);
	const struct entry *entry;

	news_begin(&hub->news, feed, place);
	delivery->cursor = hub_place_now(hub);
	/* Neither part of a cursor ever goes back: a place may be ahead in one of
	 * them. */
	while ((entry = news_take(&hub->news)) != NULL && !hub_is_full(delivery))
		delivery_add(delivery, (struct text){entry->json, entry->size},
		             larger(entry->log_id, place->id),
		             larger(entry->position, place->position));
	delivery->more = entry != NULL || (hub_is_full(delivery) && hub->behind);
	if (delivery->more)
		delivery->cursor = delivery_cursor_after(
			delivery, (size_t)delivery->count - 1);
	return delivery;
}

/* Returns the delivery that was cached for a place and still has all of the feed's
 * messages, borrowed; NULL: none. */
static struct delivery *find_shared(const struct hub *hub,
                                    const struct feed *feed,
                                    const struct cursor *place)
{
	const struct cached_delivery *cached =
		feed_find_cached(&hub->rooms.cache, feed, place);

	if (cached == NULL || news_are_there(feed, &cached->end))
		return NULL;
	return cached->delivery;
}

/* The messages after a place, made once for all waiters with the same cursor. Borrowed
 * until the feed gets a message. */
static struct delivery *shared_news_after(struct hub *hub, struct feed *feed,
                                          const struct cursor *place)
{
	struct delivery *delivery = find_shared(hub, feed, place);
	struct cursor now = hub_place_now(hub);

	if (delivery != NULL)
		return delivery;
	delivery = hub_news_after(hub, feed, place);
	hub_charge_page(hub, delivery);
	feed_cache_delivery(&hub->rooms.cache, feed, place, &now, delivery);
	delivery_unref(delivery);
	return delivery;
}

void hub_give_after(struct hub *hub, struct waiter *waiter,
                    const struct cursor *place)
{
	struct delivery *delivery =
		delivery_ref(shared_news_after(hub, waiter->feed, place));

	hub_give(hub, waiter, delivery);
	delivery_unref(delivery);
}

void hub_give_empty(struct hub *hub, struct waiter *waiter)
{
	struct cursor now = hub_place_now(hub);

	hub_give_after(hub, waiter, &now);
}

bool hub_is_out_of_turn(struct hub *hub, const struct feed *feed,
                        const struct cursor *place)
{
	if ((hub->render_left > 0 && list_is_empty(&hub->long_pages)) ||
	    find_shared(hub, feed, place) != NULL)
		return false;
	news_begin(&hub->news, feed, place);
	return news_are_longer(&hub->news, TURN_LONG_BYTES);
}

/* A message is rendered once for its room, and once for all. But any number of feeds of
 * several may have its room, and thousands of long pages at once would fill the memory
 * for unread answers: so these have their turns. Unless the window is about to drop
 * some of the messages, which may be in no log. */
bool hub_has_to_wait(struct hub *hub, const struct feed *feed,
                     const struct cursor *place)
{
	return feed->kind == FEED_SEVERAL &&
	       !window_is_over(&hub->window) &&
	       hub_is_out_of_turn(hub, feed, place);
}

static bool has_to_queue(struct hub *hub, const struct waiter *waiter)
{
	return waiter->state != WAITER_QUEUED &&
	       (hub_is_long_out_of_turn(hub, waiter) ||
	        hub_is_out_of_turn(hub, waiter->feed, &waiter->cursor));
}

void hub_give_news(struct hub *hub, struct waiter *waiter)
{
	if (has_to_queue(hub, waiter))
		hub_move(waiter, WAITER_QUEUED, &hub->long_pages);
	else
		hub_give_after(hub, waiter, &waiter->cursor);
}

bool hub_go_on(struct hub *hub)
{
	hub->render_left = hub->read_left = TURN_RENDER_BYTES;
	while (!list_is_empty(&hub->long_pages) && hub->render_left > 0) {
		hub->render_left -= QUEUED_COST;
		hub_decide(hub, hub_first_waiter(&hub->long_pages));
	}
	log_reader_go_on(hub->reader);
	return !list_is_empty(&hub->long_pages);
}

void hub_charge(struct hub *hub, size_t bytes)
{
	if (bytes > TURN_LONG_BYTES)
		hub->render_left -= (int64_t)bytes;
}

bool hub_needs_share(const struct hub *hub)
{
	return !list_is_empty(&hub->long_pages) ||
	       hub->render_left < TURN_RENDER_BYTES ||
	       hub->read_left < TURN_RENDER_BYTES;
}
