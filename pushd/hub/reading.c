/* The hub: reads of the log, for waiters whose cursor is before the window or not
 * valid. */
#include "hub/private.h"

#include <inttypes.h>

#include "base/journal.h"
#include "codec/page.h"

/* Bytes: what turns out to be short costs something too. */
enum { READ_COST = 4096 };

static void feed_was_read(void *context, struct log_read *read);
static void newest_was_read(void *context, struct log_read *read);

/* A read keeps its feed in use until it is back. */
static void hub_read_feed(struct hub *hub, struct feed *feed,
                          struct store_range range,
                          void (*done)(void *context, struct log_read *read))
{
	static const enum log_read_kind kinds[] = {
		[FEED_ROOM] = READ_ROOM,
		[FEED_SEVERAL] = READ_ROOMS,
		[FEED_ALL] = READ_ALL,
	};
	struct log_read *read = log_read_new(kinds[feed->kind]);

	read->held = hub->newest;
	read->starts = hub->starts;
	read->feed = feed;
	read->range = range;
	read->done = done;
	read->context = hub;
	feeds_use(&hub->feeds, feed);
	hub->reads++;
	log_reader_ask(hub->reader, read);
}

/* A read is back, and all of its waiters have been dealt with. */
static void end_read(struct hub *hub, struct feed *feed)
{
	hub->reads--;
	feeds_leave(&hub->feeds, feed);
}

/* True: too many feeds are being read, and the waiter was refused. A waiter that joins
 * a read under way needs no new one. */
static bool is_read_too_many(struct hub *hub, struct waiter *waiter,
                             bool is_reading)
{
	if (is_reading || hub->reads < hub->reads_limit)
		return false;
	complaint_warn(&hub->about_reads,
	               "limits.reads reached: polls that need the log get 503");
	hub_refuse(hub, waiter, PROBLEM_OVERLOADED,
	           "too many reads of the log are pending: repeat after "
	           "Retry-After");
	return true;
}

/* Starts one read for all queued waiters, after the oldest of their cursors. */
static void read_for_queued(struct hub *hub, struct feed *feed)
{
	int64_t after = INT64_MAX;

	if (list_is_empty(&feed->queued) || feed->reading)
		return;
	list_append_all(&feed->asking, &feed->queued);
	for (struct list *at = feed->asking.next; at != &feed->asking;
	     at = at->next) {
		int64_t id = LIST_OWNER(at, struct waiter, link)->cursor.id;

		after = id < after ? id : after;
	}
	feed->reading = true;
	hub_read_feed(hub, feed,
	              (struct store_range){.direction = STORE_AFTER,
	                                   .id = after,
	                                   .limit = PAGE_MAX,
	                                   .bytes = PAGE_MAX_BYTES},
	              feed_was_read);
}

static void read_newest(struct hub *hub, struct feed *feed)
{
	if (list_is_empty(&feed->resetting) || feed->reset_reading)
		return;
	list_append_all(&feed->reset_asking, &feed->resetting);
	feed->reset_reading = true;
	hub_read_feed(hub, feed,
	              (struct store_range){.direction = STORE_NEWEST,
	                                   .limit = PAGE_DEFAULT},
	              newest_was_read);
}

static void reset_without_messages(struct hub *hub, struct waiter *waiter)
{
	struct delivery *delivery = hub_new_delivery(hub, waiter->feed);

	delivery->cursor = hub_place_now(hub);
	delivery->reset = true;
	hub_give(hub, waiter, delivery);
	delivery_unref(delivery);
}

void hub_reset(struct hub *hub, struct waiter *waiter)
{
	struct feed *feed = waiter->feed;

	if (feed->kind != FEED_ROOM) {
		reset_without_messages(hub, waiter);
		return;
	}
	if (is_read_too_many(hub, waiter, feed->reset_reading))
		return;
	hub_move(waiter, WAITER_RESETTING, &feed->resetting);
	read_newest(hub, feed);
}

void hub_read(struct hub *hub, struct waiter *waiter)
{
	struct feed *feed = waiter->feed;

	if (is_read_too_many(hub, waiter, feed->reading))
		return;
	hub_move(waiter, WAITER_READING, &feed->queued);
	read_for_queued(hub, feed);
}

/* Whether a read of a feed saw the log that the hub follows. One from before the hub
 * started over may know less of removals than the window does. */
static bool is_same_log(const struct hub *hub, const struct log_read *read)
{
	return hub->ready && read->starts == hub->starts &&
	       read->end.log == hub->log &&
	       read->end.newest >= read->held;
}

/* Returns a reference to a delivery of the messages that a read found after an id.
 * The caller fills in its end. */
static struct delivery *make_of_read(struct hub *hub,
                                     const struct log_read *read, int64_t after,
                                     int64_t position)
{
	struct delivery *delivery = hub_new_delivery(hub, read->feed);

	for (size_t i = 0; i < read->item_count; i++) {
		const struct log_item *item = &read->items[i];
		struct text json = {read->json.data + item->at, item->size};

		if (item->id > after)
			delivery_add(delivery, json, item->id, position);
	}
	delivery->more = read->more;
	hub->read_left -= (int64_t)delivery->messages.size;
	return delivery;
}

/* Skipped rows are in the page's range but not among its items. */
static bool has_items_after(const struct log_read *read, int64_t id)
{
	return read->item_count > 0 &&
	       read->items[read->item_count - 1].id > id;
}

static bool has_gap_after(const struct log_read *read, int64_t id)
{
	for (size_t i = 0; i < read->gap_count; i++)
		if (read->gaps[i].removed > id)
			return true;
	return false;
}

static void add_gaps_after(struct delivery *delivery, const struct log_read *read,
                           int64_t id)
{
	for (size_t i = 0; i < read->gap_count; i++)
		if (read->gaps[i].removed > id)
			delivery_add_gap(delivery, &read->gaps[i].room);
}

/* The last delivery made from a read: many waiters have the same cursor. */
struct last_given {
	struct cursor place;
	struct delivery *delivery; /* NULL: nothing yet */
};

static struct delivery *shared_of_read(struct hub *hub,
                                       const struct waiter *waiter,
                                       const struct log_read *read,
                                       const struct cursor *end,
                                       struct last_given *last)
{
	const struct cursor *place = &waiter->cursor;
	struct delivery *delivery = last->delivery;

	if (delivery != NULL && last->place.id == place->id &&
	    last->place.position == place->position)
		return delivery;
	delivery_unref(delivery);
	delivery = make_of_read(hub, read, place->id, place->position);
	delivery->cursor = *end;
	add_gaps_after(delivery, read, place->id);
	*last = (struct last_given){*place, delivery};
	return delivery;
}

/* Gives a waiter the messages that a read of its feed found after its cursor. */
static void take_from_read(struct hub *hub, struct waiter *waiter,
                           const struct log_read *read, struct last_given *last)
{
	struct cursor end = waiter->cursor;
	bool is_news = has_items_after(read, end.id) ||
	               has_gap_after(read, end.id);

	if (read->upto > end.id)
		end.id = read->upto;
	if (is_news) {
		hub_give(hub, waiter,
		         shared_of_read(hub, waiter, read, &end, last));
		return;
	}
	/* Nothing for this waiter up to here: its cursor advances. If others asked
	 * from further back and filled the page, its cursor stays and it asks
	 * again. */
	waiter->cursor = end;
	hub_decide(hub, waiter);
}

static struct text label_of(const struct feed *feed)
{
	static const char *const labels[] = {[FEED_SEVERAL] = "several",
	                                     [FEED_ALL] = "*"};

	return feed->kind == FEED_ROOM
	               ? room_name_label(&feed->rooms[0].room->name)
	               : text_of(labels[feed->kind]);
}

static void complain_of_read(struct hub *hub, const struct log_read *read)
{
	int64_t left_out;

	if (complaint_is_due(&hub->about_failing, &left_out))
		journal_error("Failed to read from database: %s: room_id=%.*s: "
		              "suppressed=%" PRId64,
		              read->error, TEXT_ARGS(label_of(read->feed)), left_out);
}

/* Whether a read can answer its waiters. If not, deals with them in another way. */
static bool is_usable(struct hub *hub, const struct log_read *read,
                      struct list *asking)
{
	if (!read->good) {
		complain_of_read(hub, read);
		hub_refuse_storage_all(hub, asking);
		return false;
	}
	if (is_same_log(hub, read))
		return true;
	while (!list_is_empty(asking))
		hub_wait_for_look(hub, hub_first_waiter(asking));
	return false;
}

/* A room may be in any number of feeds, and be read for each: if nothing is new, what
 * was cached stays valid. */
void hub_learn_room(struct hub *hub, struct room *room,
                    const struct room_state *state, const struct log_end *end)
{
	const struct entry *later = news_first_logged(room, end->newest);
	int64_t earliest = state->earliest;

	/* The first message may have come since the log was read; one from
	 * before was removed from it. */
	if (earliest == 0 && later != NULL)
		earliest = later->id;
	hub_note_removal(hub, state->pruned);
	/* A read that knows less of removals is older than what is known. */
	if (room->known && state->pruned < room->pruned)
		return;
	if (room->known && room->earliest == earliest &&
	    room->pruned == state->pruned)
		return;
	room->known = true;
	room->earliest = earliest;
	if (state->pruned > room->pruned)
		room->pruned = state->pruned;
	hub->rooms.cache.states++;
}

static void learn_from_read(struct hub *hub, struct feed *feed,
                            const struct log_read *read)
{
	for (size_t i = 0; i < feed->count; i++)
		hub_learn_room(hub, feed->rooms[i].room, &read->states[i],
		               &read->end);
}

/* Gives a read's result to its waiters, as many as are allowed in this turn. */
static void give_from_read(struct hub *hub, struct list *asking,
                           const struct log_read *read)
{
	struct last_given last = {.delivery = NULL};

	while (!list_is_empty(asking) && hub->read_left > 0) {
		struct waiter *waiter = hub_first_waiter(asking);

		hub->read_left -= READ_COST;
		/* The log may have become another one in the meantime. */
		if (waiter->cursor.log != hub->log)
			hub_decide(hub, waiter);
		else
			take_from_read(hub, waiter, read, &last);
	}
	delivery_unref(last.delivery);
}

static void feed_was_read(void *context, struct log_read *read)
{
	struct hub *hub = context;
	struct feed *feed = read->feed;
	bool is_first_call = !read->again;

	/* Waiters that asked after the read are in feed->queued, as long as
	 * feed->reading is set. */
	if (is_usable(hub, read, &feed->asking) && is_first_call)
		learn_from_read(hub, feed, read);
	give_from_read(hub, &feed->asking, read);
	read->again = !list_is_empty(&feed->asking);
	if (read->again)
		return;
	feed->reading = false;
	read_for_queued(hub, feed);
	end_read(hub, feed);
}

static void give_newest(struct hub *hub, const struct log_read *read,
                        struct list *asking)
{
	struct cursor end = hub_place_now(hub);
	struct delivery *delivery = make_of_read(hub, read, 0, end.position);

	end.id = read->end.newest;
	delivery->cursor = end;
	delivery->reset = true;
	while (!list_is_empty(asking))
		hub_give(hub, hub_first_waiter(asking), delivery);
	delivery_unref(delivery);
}

static void newest_was_read(void *context, struct log_read *read)
{
	struct hub *hub = context;
	struct feed *feed = read->feed;
	struct list asking;

	read->again = hub->read_left <= 0;
	if (read->again)
		return;
	list_take_all(&asking, &feed->reset_asking);
	feed->reset_reading = false;
	if (is_usable(hub, read, &asking)) {
		learn_from_read(hub, feed, read);
		give_newest(hub, read, &asking);
	}
	read_newest(hub, feed);
	end_read(hub, feed);
}
