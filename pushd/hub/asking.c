/* The hub: its life, and the handling of a waiter that asks. */
#include "hub/private.h"

#include <assert.h>

#include "base/clock.h"
#include "base/draw.h"
#include "loop/turn.h"

/* PROTOCOL section 6. The clients that come back during a restart must fit into the
 * kernel's backlog (ENDPOINT_BACKLOG). */
enum {
	RETRY_LEAST_MS = 1000, /* for a crowd of any size: a restart's time */
	RETRY_MOST_MS = 30000,
	RETRIES_PER_MS = 5,
};

/* Of the window's limit: what is cached exists as messages, pages and events. */
enum { CACHE_SHARE = 2 };

void hub_init(struct hub *hub, const struct hub_options *options,
              struct log_reader *reader, const struct hub_handlers *handlers)
{
	*hub = (struct hub){.reader = reader,
	                    .handlers = handlers,
	                    .ephemeral = options->ephemeral,
	                    .reads_limit = options->reads,
	                    .complete_ms = clock_monotonic_ms()};
	window_init(&hub->window, options->window_bytes);
	rooms_init(&hub->rooms, options->window_bytes / CACHE_SHARE);
	feeds_init(&hub->feeds, &hub->rooms, &hub->window.whole.own);
	list_init(&hub->unsettled);
	list_init(&hub->dirty);
	list_init(&hub->hungry);
	list_init(&hub->deferring);
	list_init(&hub->long_pages);
	hub->render_left = hub->read_left = TURN_RENDER_BYTES;
	hub->epoch = draw_number();
}

void hub_release(struct hub *hub)
{
	window_clear(&hub->window, &hub->rooms);
	feeds_release(&hub->feeds);
	rooms_release(&hub->rooms);
	feed_forget_deliveries(&hub->rooms.cache, &hub->window.whole.own);
	news_release(&hub->news);
	incarnations_release(&hub->incarnations);
}

void hub_set_limits(struct hub *hub, int64_t window_bytes, int64_t reads)
{
	hub->reads_limit = reads;
	hub->window.limit_bytes = window_bytes;
	hub->rooms.cache.limit_bytes = window_bytes / CACHE_SHARE;
	hub_deliver(hub);
}

struct hub_status hub_status(const struct hub *hub)
{
	return (struct hub_status){
		.is_ready = hub->ready,
		.is_failing = hub->failing,
		.trouble = hub->trouble,
		.complete_ms = hub->complete_ms,
		.reads = hub->reads,
		.long_pages = (int64_t)list_length(&hub->long_pages),
		.rooms = hub->rooms.count,
		.window_messages = hub->window.count,
		.window_bytes = hub->window.bytes,
		.window_limit_bytes = hub->window.limit_bytes,
	};
}

void hub_wait_for_look(struct hub *hub, struct waiter *waiter)
{
	waiter->checked_by = hub->want_look(hub->context);
	hub_move(waiter, WAITER_UNSETTLED, &hub->unsettled);
}

/* Of messages that are in no log, a cursor without our epoch gets those that come
 * from now on, however long it takes to decide about the others. */
static void set_position(const struct hub *hub, struct cursor *cursor)
{
	int64_t now = hub->window.position;

	if (!cursor->has_position || cursor->epoch != hub->epoch ||
	    cursor->position > now)
		cursor->position = now;
	cursor->has_position = true;
	cursor->epoch = hub->epoch;
}

/* Whether the window has all messages of the feed after the cursor, and none of them
 * were removed. A client from before removed messages learns that from a read of the
 * log. */
static bool is_in_window(const struct hub *hub, const struct feed *feed,
                         const struct cursor *cursor)
{
	if (cursor->id < hub->window.from)
		return false;
	for (size_t i = 0; i < feed->count; i++) {
		const struct room *room = feed->rooms[i].room;

		if (!room->known || cursor->id < room->from ||
		    cursor->id < room->pruned)
			return false;
	}
	return true;
}

/* Whether a read saw the end of one of the feed's rooms further on than the hub is. */
static bool is_ahead(const struct hub *hub, const struct feed *feed)
{
	if (hub->window.whole.pruned <= hub->newest)
		return false;
	for (size_t i = 0; i < feed->count; i++)
		if (feed->rooms[i].room->pruned > hub->newest)
			return true;
	return false;
}

/* Whether the log must be read before this cursor can be judged: the cursor is ahead
 * of the hub, or its tag is unknown; or its feed is ahead. */
static bool needs_look(const struct hub *hub, const struct waiter *waiter,
                       enum standing standing)
{
	return standing == STANDING_UNKNOWN ||
	       waiter->cursor.id > hub->newest || is_ahead(hub, waiter->feed);
}

/* Whether there are messages after this cursor. Usually there are none in any
 * room. */
static bool has_news(const struct hub *hub, const struct waiter *waiter)
{
	const struct cursor *cursor = &waiter->cursor;

	return (cursor->id < hub->newest ||
	        cursor->position < hub->window.position) &&
	       news_are_there(waiter->feed, cursor);
}

static void give_or_park(struct hub *hub, struct waiter *waiter)
{
	if (has_news(hub, waiter) && !hub_puts_off(hub, waiter)) {
		hub_give_news(hub, waiter);
	} else if (waiter->must_answer && hub_is_long_out_of_turn(hub, waiter)) {
		hub_move(waiter, WAITER_QUEUED, &hub->long_pages);
	} else if (waiter->must_answer) {
		hub_give_empty(hub, waiter);
	} else {
		hub_park(waiter);
		if (hub->draining)
			hub_drain_waiter(hub, waiter);
	}
}

void hub_decide(struct hub *hub, struct waiter *waiter)
{
	struct cursor *cursor = &waiter->cursor;

	if (!hub->ready) {
		hub_wait_for_look(hub, waiter);
		return;
	}
	if (waiter->from_now)
		cursor->id = hub->newest;
	waiter->from_now = false;
	enum standing standing = incarnations_judge(&hub->incarnations, cursor);
	if (standing == STANDING_PASSED) {
		hub_reset(hub, waiter);
		return;
	}
	if (needs_look(hub, waiter, standing)) {
		hub_wait_for_look(hub, waiter);
		return;
	}
	hub_name_log(hub, cursor);
	if (is_in_window(hub, waiter->feed, cursor))
		give_or_park(hub, waiter);
	else if (hub->draining)
		hub_drain_waiter(hub, waiter);
	else
		hub_read(hub, waiter);
}

struct feed *hub_hold_feed(struct hub *hub, const struct room_list *rooms,
                           struct text forbidden)
{
	return feeds_get(&hub->feeds, rooms, forbidden);
}

void hub_hold_again(struct hub *hub, struct feed *feed)
{
	feeds_use(&hub->feeds, feed);
}

void hub_drop_feed(struct hub *hub, struct feed *feed)
{
	feeds_leave(&hub->feeds, feed);
}

void hub_ask(struct hub *hub, struct waiter *waiter, struct feed *feed)
{
	assert(waiter->state == WAITER_IDLE);
	waiter->feed = feed;
	feeds_use(&hub->feeds, feed);
	if (waiter->from_now)
		waiter->cursor = (struct cursor){0};
	set_position(hub, &waiter->cursor);
	if (hub->failing && !hub->ready)
		hub_refuse_storage(hub, waiter);
	else
		hub_decide(hub, waiter);
}

bool hub_time_out(struct hub *hub, struct waiter *waiter)
{
	waiter->must_answer = true;
	if (waiter->state != WAITER_PARKED)
		return false;
	if (hub_is_deferred(waiter))
		return hub_give_lacking(hub, waiter);
	if (hub_is_long_out_of_turn(hub, waiter)) {
		/* It has everything up to now. */
		waiter->cursor = hub_place_now(hub);
		hub_move(waiter, WAITER_QUEUED, &hub->long_pages);
		return false;
	}
	hub_give_empty(hub, waiter);
	return true;
}

void hub_give_up(struct hub *hub, struct waiter *waiter)
{
	if (waiter->state == WAITER_QUEUED)
		hub_refuse(hub, waiter, PROBLEM_OVERLOADED,
		           "too many long pages are pending: repeat after "
		           "Retry-After");
	else
		hub_refuse_storage(hub, waiter);
}

bool hub_take_parked(struct hub *hub, struct waiter *waiter)
{
	if (waiter->state != WAITER_PARKED)
		return false;
	hub_make_idle(hub, waiter);
	waiter->cursor = hub_place_now(hub);
	return true;
}

void hub_leave(struct hub *hub, struct waiter *waiter)
{
	if (waiter->state != WAITER_IDLE)
		hub_make_idle(hub, waiter);
}

void hub_drain(struct hub *hub, size_t waiters)
{
	size_t spread_ms = waiters / RETRIES_PER_MS;

	hub->draining = true;
	hub->retry_most_ms = spread_ms < RETRY_LEAST_MS  ? RETRY_LEAST_MS
	                     : spread_ms > RETRY_MOST_MS ? RETRY_MOST_MS
	                                                 : (int64_t)spread_ms;
}

int64_t hub_draw_retry_ms(const struct hub *hub)
{
	return 1 + draw_below(hub->retry_most_ms);
}

/* To end a parked waiter, which has everything up to now, or lacks signals: those it
 * gets. Its page is its own, so if they are many it goes without. */
static struct delivery *last_delivery(struct hub *hub, const struct waiter *waiter)
{
	struct cursor place = hub_place_now(hub);

	if (hub_is_deferred(waiter)) {
		news_begin(&hub->news, waiter->feed, &waiter->cursor);
		if (!news_are_longer(&hub->news, TURN_LONG_BYTES))
			place = waiter->cursor;
	}
	return hub_news_after(hub, waiter->feed, &place);
}

/* Any other keeps its cursor. */
static struct delivery *parting_delivery(struct hub *hub, const struct waiter *waiter)
{
	struct delivery *delivery = hub_new_delivery(hub, waiter->feed);

	delivery->cursor = waiter->cursor;
	if (hub->ready && !delivery->cursor.names_log)
		hub_name_log(hub, &delivery->cursor);
	return delivery;
}

void hub_drain_waiter(struct hub *hub, struct waiter *waiter)
{
	struct delivery *delivery;

	if (waiter->state == WAITER_PARKED)
		delivery = last_delivery(hub, waiter);
	else if (hub->ready || waiter->cursor.names_log)
		delivery = parting_delivery(hub, waiter);
	else
		return;
	delivery->retry_ms = hub_draw_retry_ms(hub);
	hub_give(hub, waiter, delivery);
	delivery_unref(delivery);
}
