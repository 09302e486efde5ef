#include "hub/room.h"

#include <assert.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

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

void rooms_init(struct rooms *rooms, int64_t cache_bytes)
{
	*rooms = (struct rooms){0};
	list_init(&rooms->all);
	list_init(&rooms->idle);
	delivery_cache_init(&rooms->cache, cache_bytes);
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
	feed_forget_deliveries(&rooms->cache, &room->own);
	free(room);
}

void rooms_release(struct rooms *rooms)
{
	while (!list_is_empty(&rooms->all))
		room_free(rooms, LIST_OWNER(rooms->all.next, struct room, all));
}

void room_init(struct room *room, enum feed_kind kind)
{
	list_init(&room->feeds);
	list_init(&room->dirty);
	list_init(&room->all);
	list_init(&room->idle);
	feed_init(&room->own, kind, &room->own_place, 1);
	feed_subscribe(&room->own, 0, room, &room->feeds);
}

static struct room *room_new(const struct room_name *name)
{
	struct room *room = memory_get(sizeof *room);

	room->name = *name;
	room_init(room, FEED_ROOM);
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
	feed_forget_deliveries(&rooms->cache, &room->own);
	list_append(&rooms->idle, &room->idle);
	if (++rooms->idle_count > ROOMS_IDLE_MAX) {
		room = LIST_OWNER(rooms->idle.next, struct room, idle);
		rooms->idle_count--;
		room_free(rooms, room);
	}
}
