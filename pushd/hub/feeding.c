/* The hub: the verbs of the follower. */
#include "hub/private.h"

#include <assert.h>
#include <stdio.h>


void hub_follow(struct hub *hub, int64_t (*want_look)(void *context),
                void *context)
{
	hub->want_look = want_look;
	hub->context = context;
}

/* Takes out all waiters of a feed, except those whose read is under way: they go on
 * when it is back. */
static void unsettle_feed(struct hub *hub, struct feed *feed)
{
	list_append_all(&feed->parked, &feed->patient);
	while (!list_is_empty(&feed->parked))
		hub_wait_for_look(hub, hub_first_waiter(&feed->parked));
	while (!list_is_empty(&feed->queued))
		hub_wait_for_look(hub, hub_first_waiter(&feed->queued));
}

static struct subscription *subscription_at(struct list *link)
{
	return LIST_OWNER(link, struct subscription, in_room);
}

static void unsettle_room(struct hub *hub, struct room *room)
{
	room->known = false;
	room->from = 0;
	room->pruned = 0;
	room->undelivered = NULL;
	list_remove(&room->dirty);
	for (struct list *at = room->feeds.next; at != &room->feeds; at = at->next)
		unsettle_feed(hub, subscription_at(at)->feed);
}

void hub_start_over(struct hub *hub, uint32_t log, int64_t from)
{
	hub_give_all_deferred(hub);
	hub->ready = false;
	hub->starts++;
	hub->rooms.cache.states++;
	window_clear(&hub->window, &hub->rooms);
	hub->log = log;
	incarnations_clear(&hub->incarnations);
	incarnations_add(&hub->incarnations, log, 0);
	hub->newest = from;
	hub->window.from = from;
	hub->rooms.from = 0;
	for (struct list *at = hub->rooms.all.next; at != &hub->rooms.all;
	     at = at->next)
		unsettle_room(hub, LIST_OWNER(at, struct room, all));
	unsettle_room(hub, &hub->window.whole);
}

void hub_know_incarnations(struct hub *hub, const struct incarnations *list)
{
	assert(incarnations_end_with(list, hub->log));
	incarnations_copy(&hub->incarnations, list);
}

/* Of the removed messages, parked waiters lack only those that they have not been
 * given. */
static void tell_parked(struct hub *hub, struct feed *feed, int64_t pruned)
{
	struct list parked;

	list_take_all(&parked, &feed->parked);
	list_append_all(&parked, &feed->patient);
	while (!list_is_empty(&parked)) {
		struct waiter *waiter = hub_first_waiter(&parked);

		if (waiter->cursor.id >= pruned)
			hub_park(waiter);
		else
			hub_decide(hub, waiter);
	}
}

/* A feed whose waiters are told may lose its last one, and then be freed. */
static void tell_feeds(struct hub *hub, struct room *room)
{
	struct list feeds;

	list_take_all(&feeds, &room->feeds);
	while (!list_is_empty(&feeds)) {
		struct list *link = feeds.next;

		list_append(&room->feeds, link);
		tell_parked(hub, subscription_at(link)->feed, room->pruned);
	}
}

static void change_room(struct hub *hub, struct room *room,
                        const struct room_change *change,
                        const struct log_end *end)
{
	int64_t earliest = change->state.earliest;

	rooms_use(&hub->rooms, room);
	if (change->edited) {
		room->from = end->newest;
		window_drop(&hub->window, room, end->newest);
	} else {
		window_drop(&hub->window, room,
		            earliest > 0 ? earliest - 1 : end->newest);
	}
	hub_learn_room(hub, room, &change->state, end);
	tell_feeds(hub, room);
	rooms_leave(&hub->rooms, room);
}

void hub_change_rooms(struct hub *hub, const struct room_change *changes,
                      size_t count, const struct log_end *end)
{
	/* Messages that are not delivered yet must not be dropped. */
	hub_deliver(hub);
	for (size_t i = 0; i < count; i++) {
		struct room *room = rooms_find(&hub->rooms, &changes[i].room);

		if (room != NULL)
			change_room(hub, room, &changes[i], end);
		else
			hub_note_removal(hub, changes[i].state.pruned);
	}
	tell_feeds(hub, &hub->window.whole);
}

size_t hub_unknown_rooms(const struct hub *hub, struct room_name *rooms,
                         size_t most)
{
	const struct list *all = &hub->rooms.all;
	size_t count = 0;

	/* From the newest on, which are asked for sooner. */
	for (const struct list *at = all->previous; at != all && count < most;
	     at = at->previous) {
		const struct room *room = LIST_OWNER(at, struct room, all);

		if (!room->known)
			rooms[count++] = room->name;
	}
	return count;
}

void hub_learn(struct hub *hub, const struct room_name *rooms,
               const struct room_state *states, size_t count,
               const struct log_end *end)
{
	for (size_t i = 0; i < count; i++) {
		struct room *room = rooms_find(&hub->rooms, &rooms[i]);

		if (room != NULL)
			hub_learn_room(hub, room, &states[i], end);
	}
}

void hub_set_ready(struct hub *hub)
{
	hub->ready = true;
}

static void set_trouble(struct hub *hub, const char *trouble)
{
	snprintf(hub->trouble, sizeof hub->trouble, "%s", trouble);
}

void hub_set_failing(struct hub *hub, const char *why)
{
	hub->failing = true;
	set_trouble(hub, why);
	hub_refuse_storage_all(hub, &hub->unsettled);
}

void hub_recover(struct hub *hub, const char *trouble)
{
	hub->failing = false;
	set_trouble(hub, trouble);
}

/* Every room has a feed of its own. */
static bool has_parked(const struct room *room)
{
	return !list_is_empty(&room->own.parked) ||
	       !list_is_empty(&room->own.patient) ||
	       room->feeds.next != room->feeds.previous;
}

static void note_undelivered(struct hub *hub, struct room *room,
                             struct entry *entry)
{
	if (room->undelivered != NULL || !has_parked(room))
		return;
	room->undelivered = entry;
	list_append(&hub->dirty, &room->dirty);
}

static struct entry *append_entry(struct hub *hub, const struct room_name *name,
                                  int64_t id, struct text json)
{
	struct room *room = rooms_get(&hub->rooms, name);
	struct entry *entry =
		window_append(&hub->window, room, id, hub->newest, json);

	rooms_settle(&hub->rooms, room);
	note_undelivered(hub, room, entry);
	note_undelivered(hub, &hub->window.whole, entry);
	return entry;
}

void hub_append(struct hub *hub, const struct room_name *name, int64_t id,
                struct text json)
{
	struct entry *entry;

	assert(id == 0 || id > hub->newest);
	if (id > 0)
		hub->newest = id;
	entry = append_entry(hub, name, id, json);
	if (id == 0)
		entry->room->urgent = hub->window.whole.urgent = entry->position;
	else if (entry->room->known && entry->room->earliest == 0)
		entry->room->earliest = id;
}

void hub_append_signal(struct hub *hub, const struct room_name *name,
                       struct text json)
{
	window_mark_signal(&hub->window, append_entry(hub, name, 0, json));
}

void hub_advance(struct hub *hub, int64_t newest, bool is_behind)
{
	if (newest > hub->newest)
		hub->newest = newest;
	hub->behind = is_behind;
}

void hub_set_complete(struct hub *hub, int64_t began_ms)
{
	hub->complete_ms = began_ms;
}

/* Waiters of the feed lack messages of a room, from this entry on. `is_urgent`: not
 * signals alone. */
static void note_hunger(struct hub *hub, struct feed *feed, struct entry *first,
                        bool is_urgent)
{
	bool has_patient = !list_is_empty(&feed->patient);
	bool was_hungry = !list_is_empty(&feed->hungry);

	if (has_patient && !is_urgent)
		hub_defer(hub, feed, first->position - 1);
	if (list_is_empty(&feed->parked) && !(has_patient && is_urgent))
		return;
	if (!was_hungry)
		feed->undelivered = first;
	feed->is_urgent = is_urgent || (was_hungry && feed->is_urgent);
	list_append(&hub->hungry, &feed->hungry);
}

/* Finds the feeds whose waiters lack the room's messages, and the first that each
 * lacks: rooms are in hub.dirty in the order of their first ones. */
static void find_hungry(struct hub *hub, struct room *room)
{
	struct entry *first = room->undelivered;

	assert(first != NULL);
	struct cursor before = hub_place_before(first);
	bool is_urgent = news_are_urgent_in_room(room, &before);

	for (struct list *at = room->feeds.next; at != &room->feeds; at = at->next)
		note_hunger(hub, subscription_at(at)->feed, first, is_urgent);
	room->undelivered = NULL;
	list_remove(&room->dirty);
}

static bool waiter_lacks(const struct waiter *waiter, const struct entry *entry)
{
	return entry->id > 0 ? waiter->cursor.id < entry->id
	                     : waiter->cursor.position < entry->position;
}

/* Parked ones have everything up to the place, however old their cursors are: with the
 * old ones they might need a read of the log. */
static void queue_waiter(struct hub *hub, struct waiter *waiter,
                         const struct cursor *place)
{
	struct cursor *cursor = &waiter->cursor;

	if (cursor->id < place->id)
		cursor->id = place->id;
	if (cursor->position < place->position)
		cursor->position = place->position;
	hub_move(waiter, WAITER_QUEUED, &hub->long_pages);
}

static void queue_parked(struct hub *hub, struct feed *feed,
                         const struct cursor *place)
{
	while (!list_is_empty(&feed->parked))
		queue_waiter(hub, hub_first_waiter(&feed->parked), place);
}

static void give_parked(struct hub *hub, struct feed *feed,
                        const struct entry *first, const struct cursor *before)
{
	struct delivery *delivery = hub_news_after(hub, feed, before);
	struct list parked;

	if (feed->kind == FEED_SEVERAL)
		hub_charge_page(hub, delivery);
	/* Taken out first: one that asks again at once may park anew. */
	list_take_all(&parked, &feed->parked);
	while (!list_is_empty(&parked)) {
		struct waiter *waiter = hub_first_waiter(&parked);

		/* A waiter that was answered in another room a moment ago may have
		 * parked here, with a cursor after all these messages. */
		if (!waiter_lacks(waiter, first) &&
		    !news_are_there(waiter->feed, &waiter->cursor))
			hub_park(waiter);
		else if (hub_is_long_out_of_turn(hub, waiter))
			queue_waiter(hub, waiter, before);
		else
			hub_give(hub, waiter, delivery);
	}
	delivery_unref(delivery);
}

/* All waiters parked in a feed lack the same messages: those that came since. Patient
 * ones may lack signals from before too. */
static void deliver_feed(struct hub *hub, struct feed *feed)
{
	const struct entry *first = feed->undelivered;
	const struct cursor before = hub_place_before(first);

	feeds_use(&hub->feeds, feed);
	list_remove(&feed->hungry);
	if (feed->is_urgent && feed_is_deferring(feed))
		hub_give_deferred(hub, feed);
	else if (feed->is_urgent)
		list_append_all(&feed->parked, &feed->patient);
	if (hub_has_to_wait(hub, feed, &before))
		queue_parked(hub, feed, &before);
	else if (!list_is_empty(&feed->parked))
		give_parked(hub, feed, first, &before);
	feeds_leave(&hub->feeds, feed);
}

void hub_deliver(struct hub *hub)
{
	while (!list_is_empty(&hub->dirty))
		find_hungry(hub, LIST_OWNER(hub->dirty.next, struct room, dirty));
	while (!list_is_empty(&hub->hungry))
		deliver_feed(hub, LIST_OWNER(hub->hungry.next, struct feed, hungry));
	if (!window_evict(&hub->window, &hub->rooms, hub_droppable(hub))) {
		hub_give_all_deferred(hub);
		window_evict(&hub->window, &hub->rooms, INT64_MAX);
	}
}

void hub_forget_old(struct hub *hub, int64_t now_ms)
{
	delivery_cache_forget_old(&hub->rooms.cache, now_ms);
}

/* Whether this cursor is unknown although all of the log has been read. */
static bool is_lost(const struct hub *hub, const struct waiter *waiter)
{
	const struct cursor *cursor = &waiter->cursor;

	return !waiter->from_now &&
	       (cursor->id > hub->newest ||
	        incarnations_judge(&hub->incarnations, cursor) != STANDING_GOOD);
}

void hub_log_checked(struct hub *hub, int64_t look)
{
	struct list members;

	list_take_all(&members, &hub->unsettled);
	while (!list_is_empty(&members)) {
		struct waiter *waiter = hub_first_waiter(&members);

		if (waiter->checked_by > look)
			hub_move(waiter, WAITER_UNSETTLED, &hub->unsettled);
		else if (hub->ready && is_lost(hub, waiter))
			hub_reset(hub, waiter);
		else
			hub_decide(hub, waiter);
	}
}
