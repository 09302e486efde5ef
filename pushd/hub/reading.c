/* The hub: reads of the log, for waiters whose cursor is before the window or not
 * valid. */
#include "hub/private.h"

#include <inttypes.h>

#include "base/journal.h"
#include "codec/page.h"
#include "hub/news.h"

/* Bytes: what turns out to be short costs something too. */
enum { READ_COST = 4096 };

static void room_was_read(void *context, struct log_read *read);
static void newest_was_read(void *context, struct log_read *read);

/* A read keeps its room in use until it is back. */
static void hub_read_room(struct hub *hub, struct room *room,
                          struct store_range range,
                          void (*done)(void *context, struct log_read *read))
{
	struct log_read *read = log_read_new(READ_ROOM);

	read->held = hub->newest;
	read->room = room->name;
	read->range = range;
	read->done = done;
	read->context = hub;
	rooms_use(&hub->rooms, room);
	hub->reads++;
	log_reader_ask(hub->reader, read);
}

/* True: too many rooms are being read, and the waiter was refused. A waiter that
 * joins a read under way needs no new one. */
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
static void read_for_queued(struct hub *hub, struct room *room)
{
	int64_t after = INT64_MAX;

	if (list_is_empty(&room->queued) || room->reading)
		return;
	list_append_all(&room->asking, &room->queued);
	for (struct list *at = room->asking.next; at != &room->asking;
	     at = at->next) {
		int64_t id = LIST_OWNER(at, struct waiter, link)->cursor.id;

		after = id < after ? id : after;
	}
	room->reading = true;
	hub_read_room(hub, room,
	              (struct store_range){.direction = STORE_AFTER,
	                                   .id = after,
	                                   .limit = PAGE_MAX,
	                                   .bytes = PAGE_MAX_BYTES},
	              room_was_read);
}

static void read_newest(struct hub *hub, struct room *room)
{
	if (list_is_empty(&room->resetting) || room->reset_reading)
		return;
	list_append_all(&room->reset_asking, &room->resetting);
	room->reset_reading = true;
	hub_read_room(hub, room,
	              (struct store_range){.direction = STORE_NEWEST,
	                                   .limit = PAGE_DEFAULT},
	              newest_was_read);
}

void hub_reset(struct hub *hub, struct waiter *waiter)
{
	if (is_read_too_many(hub, waiter, waiter->room->reset_reading))
		return;
	hub_move(waiter, WAITER_RESETTING, &waiter->room->resetting);
	read_newest(hub, waiter->room);
}

void hub_read(struct hub *hub, struct waiter *waiter)
{
	if (is_read_too_many(hub, waiter, waiter->room->reading))
		return;
	hub_move(waiter, WAITER_READING, &waiter->room->queued);
	read_for_queued(hub, waiter->room);
}

/* Whether a read of a room saw the log that the hub follows. */
static bool is_same_log(const struct hub *hub, const struct log_read *read)
{
	return hub->ready && read->end.log == hub->log &&
	       read->end.newest >= read->held;
}

/* Returns a reference to a delivery of the messages that a read found after an id.
 * The caller fills in its end. */
static struct delivery *make_of_read(const struct hub *hub, const struct room *room,
                                     const struct log_read *read, int64_t after,
                                     int64_t position)
{
	struct delivery *delivery = hub_new_delivery(hub, room);

	for (size_t i = 0; i < read->item_count; i++) {
		const struct log_item *item = &read->items[i];
		struct text json = {read->json.data + item->at, item->size};

		if (item->id > after)
			delivery_add(delivery, json, item->id, position);
	}
	return delivery;
}

/* Skipped rows are in the page's range but not among its items. */
static bool has_items_after(const struct log_read *read, int64_t id)
{
	return read->item_count > 0 &&
	       read->items[read->item_count - 1].id > id;
}

/* The last delivery made from a read: many waiters have the same cursor. */
struct last_given {
	struct cursor place;
	struct delivery *delivery; /* NULL: nothing yet */
};

/* How far a page of the log leads. */
static int64_t reading_end_of(const struct store_page *page)
{
	return page->more ? page->last : page->end.newest;
}

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
	delivery = make_of_read(hub, waiter->room, read, place->id,
	                        place->position);
	delivery->cursor = *end;
	delivery->more = read->page.more;
	delivery->gap = place->id < read->page.removed;
	hub->read_left -= (int64_t)delivery->messages.size;
	*last = (struct last_given){*place, delivery};
	return delivery;
}

/* Gives a waiter the messages that a read of its room found after its cursor. */
static void take_from_read(struct hub *hub, struct waiter *waiter,
                           const struct log_read *read, struct last_given *last)
{
	struct cursor end = waiter->cursor;
	bool has_gap = end.id < read->page.removed;
	bool is_news = has_gap || has_items_after(read, end.id);

	if (reading_end_of(&read->page) > end.id)
		end.id = reading_end_of(&read->page);
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

static void complain_of_read(struct hub *hub, const struct log_read *read)
{
	int64_t left_out;

	if (complaint_is_due(&hub->about_failing, &left_out))
		journal_error("Failed to read from database: %s: room_id=%.*s: "
		              "suppressed=%" PRId64,
		              read->error,
		              TEXT_ARGS(room_name_label(&read->room)), left_out);
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

void hub_learn_room(struct room *room, const struct room_state *state,
                    const struct log_end *end)
{
	struct cursor at_end = {.id = end->newest, .position = INT64_MAX};
	struct news later = news_after(room, &at_end);
	const struct entry *first = news_take(&later);

	room->known = true;
	room->earliest = state->earliest;
	room->pruned = state->pruned;
	/* The first message may have come since the log was read; one from
	 * before was removed from it. */
	if (room->earliest == 0 && first != NULL)
		room->earliest = first->id;
	room_forget_deliveries(room);
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

static void room_was_read(void *context, struct log_read *read)
{
	struct hub *hub = context;
	struct room *room = rooms_get(&hub->rooms, &read->room);
	bool is_first_call = !read->again;

	/* Waiters that asked after the read are in room->queued, as long as
	 * room->reading is set. */
	if (is_usable(hub, read, &room->asking) && is_first_call)
		hub_learn_room(room, &read->page.state, &read->page.end);
	give_from_read(hub, &room->asking, read);
	read->again = !list_is_empty(&room->asking);
	if (read->again)
		return;
	room->reading = false;
	hub->reads--;
	read_for_queued(hub, room);
	rooms_leave(&hub->rooms, room);
}

static void give_newest(struct hub *hub, const struct room *room,
                        const struct log_read *read, struct list *asking)
{
	struct cursor end = hub_place_now(hub);
	struct delivery *delivery =
		make_of_read(hub, room, read, 0, end.position);

	end.id = read->end.newest;
	delivery->cursor = end;
	delivery->reset = true;
	delivery->more = read->page.more;
	hub->read_left -= (int64_t)delivery->messages.size;
	while (!list_is_empty(asking))
		hub_give(hub, hub_first_waiter(asking), delivery);
	delivery_unref(delivery);
}

static void newest_was_read(void *context, struct log_read *read)
{
	struct hub *hub = context;
	struct room *room = rooms_get(&hub->rooms, &read->room);
	struct list asking;

	read->again = hub->read_left <= 0;
	if (read->again)
		return;
	list_take_all(&asking, &room->reset_asking);
	room->reset_reading = false;
	hub->reads--;
	if (is_usable(hub, read, &asking)) {
		hub_learn_room(room, &read->page.state, &read->page.end);
		give_newest(hub, room, read, &asking);
	}
	read_newest(hub, room);
	rooms_leave(&hub->rooms, room);
}
