#include "hub/room.h"

#include <assert.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"

/* A room begins with its name, so a pointer to a name serves as a search key. */
static int compare_names(const void *a, const void *b)
{
	const struct room_name *left = a, *right = b;

	if (left->size != right->size)
		return left->size - right->size;
	return memcmp(left->string, right->string, left->size);
}

static_assert(offsetof(struct room, name) == 0, "see compare_names");

void rooms_init(struct rooms *rooms)
{
	*rooms = (struct rooms){0};
	list_init(&rooms->all);
	list_init(&rooms->idle);
	list_init(&rooms->caching);
}

bool room_has_entries(const struct room *room)
{
	return room->logged.count > 0 || room->unlogged.count > 0;
}

static bool is_in_use(const struct room *room)
{
	return room_has_entries(room) || room->users > 0;
}

static void room_free(struct rooms *rooms, struct room *room)
{
	if (room->from > rooms->from)
		rooms->from = room->from;
	if (rooms->last == room)
		rooms->last = NULL;
	tdelete(room, &rooms->tree, compare_names);
	list_remove(&room->all);
	rooms->count--;
	list_remove(&room->idle);
	list_remove(&room->dirty);
	room_forget_deliveries(room);
	free(room);
}

void rooms_release(struct rooms *rooms)
{
	while (!list_is_empty(&rooms->all))
		room_free(rooms, LIST_OWNER(rooms->all.next, struct room, all));
}

static struct room *room_new(const struct room_name *name)
{
	struct room *room = memory_get(sizeof *room);

	room->name = *name;
	list_init(&room->parked);
	list_init(&room->queued);
	list_init(&room->asking);
	list_init(&room->resetting);
	list_init(&room->reset_asking);
	list_init(&room->dirty);
	list_init(&room->all);
	list_init(&room->idle);
	list_init(&room->caching);
	return room;
}

static void stop_idling(struct rooms *rooms, struct room *room)
{
	if (list_is_empty(&room->idle))
		return;
	list_remove(&room->idle);
	rooms->idle_count--;
}

struct room *rooms_find(const struct rooms *rooms, const struct room_name *name)
{
	struct room **found = tfind(name, &rooms->tree, compare_names);

	return found != NULL ? *found : NULL;
}

static struct room *rooms_make(struct rooms *rooms, const struct room_name *name)
{
	struct room *room = room_new(name);

	room->from = rooms->from;
	if (tsearch(room, &rooms->tree, compare_names) == NULL)
		memory_give_up(3 * sizeof(void *)); /* a node */
	list_append(&rooms->all, &room->all);
	rooms->count++;
	return room;
}

struct room *rooms_get(struct rooms *rooms, const struct room_name *name)
{
	struct room *room = rooms->last;

	if (room != NULL && compare_names(name, room) == 0)
		return room;
	room = rooms_find(rooms, name);
	if (room == NULL)
		room = rooms_make(rooms, name);
	rooms->last = room;
	return room;
}

void rooms_settle(struct rooms *rooms, struct room *room)
{
	stop_idling(rooms, room);
	if (is_in_use(room))
		return;
	room_forget_deliveries(room);
	list_append(&rooms->idle, &room->idle);
	if (++rooms->idle_count > ROOMS_IDLE_MAX) {
		room = LIST_OWNER(rooms->idle.next, struct room, idle);
		rooms->idle_count--;
		room_free(rooms, room);
	}
}

struct delivery *room_cached_delivery(const struct room *room, int64_t id,
                                      int64_t position)
{
	int64_t oldest_ms = clock_monotonic_ms() - ROOM_DELIVERY_LIFE_MS;

	for (size_t i = 0; i < ROOM_CACHED_DELIVERIES; i++) {
		const struct cached_delivery *cached = &room->cached[i];

		if (cached->delivery != NULL && cached->id == id &&
		    cached->position == position && cached->made_ms >= oldest_ms)
			return cached->delivery;
	}
	return NULL;
}

void rooms_cache_delivery(struct rooms *rooms, struct room *room, int64_t id,
                          int64_t position, struct delivery *delivery)
{
	struct cached_delivery *cached =
		&room->cached[room->next_cached++ % ROOM_CACHED_DELIVERIES];

	delivery_unref(cached->delivery);
	*cached = (struct cached_delivery){id, position, clock_monotonic_ms(),
	                                   delivery_ref(delivery)};
	list_append(&rooms->caching, &room->caching);
}

void room_forget_deliveries(struct room *room)
{
	list_remove(&room->caching);
	for (size_t i = 0; i < ROOM_CACHED_DELIVERIES; i++) {
		delivery_unref(room->cached[i].delivery);
		room->cached[i].delivery = NULL;
	}
}

static int64_t last_cached_ms(const struct room *room)
{
	unsigned last = (room->next_cached - 1) % ROOM_CACHED_DELIVERIES;

	return room->cached[last].made_ms;
}

void rooms_forget_old_deliveries(struct rooms *rooms, int64_t now_ms)
{
	while (!list_is_empty(&rooms->caching)) {
		struct room *room =
			LIST_OWNER(rooms->caching.next, struct room, caching);

		if (last_cached_ms(room) >= now_ms - ROOM_DELIVERY_LIFE_MS)
			return;
		room_forget_deliveries(room);
	}
}
