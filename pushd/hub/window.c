#include "hub/window.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

void window_init(struct window *window, int64_t limit_bytes)
{
	*window = (struct window){.limit_bytes = limit_bytes};
	list_init(&window->entries);
	room_init(&window->whole, FEED_ALL);
	window->whole.users = 1; /* it stays */
}

enum {
	ALLOCATION_BYTES = 16, /* what malloc() needs beside */
	WHOLE_BYTES = 16,      /* an entry's place in `whole`, with what is free */
	TREE_BYTES = 48,       /* a room's place in rooms.tree */
};

static int64_t cost(const struct entry *entry)
{
	return (int64_t)(sizeof *entry + entry->size + ALLOCATION_BYTES +
	                 WHOLE_BYTES);
}

/* A room's memory is counted with its first entry; it may exceed the message's. */
static int64_t room_cost(const struct room *room)
{
	return (int64_t)(sizeof *room + TREE_BYTES + ALLOCATION_BYTES);
}

static struct sequence *sequence_in(struct room *room, const struct entry *entry)
{
	return entry->id > 0 ? &room->logged : &room->unlogged;
}

/* The room's sequence counts as long as it is there. */
static void enter_rooms(struct window *window, struct entry *entry)
{
	struct sequence *sequence = sequence_in(entry->room, entry);

	if (!room_has_entries(entry->room))
		window->bytes += room_cost(entry->room);
	window->bytes -= (int64_t)sequence_bytes(sequence);
	sequence_append(sequence, entry);
	window->bytes += (int64_t)sequence_bytes(sequence);
	sequence_append(sequence_in(&window->whole, entry), entry);
}

/* The oldest entry of all is the oldest of its kind in its room. */
static void leave_rooms(struct window *window, struct entry *entry)
{
	struct sequence *sequence = sequence_in(entry->room, entry);
	struct sequence *whole = sequence_in(&window->whole, entry);

	assert(sequence_at(sequence, 0) == entry);
	window->bytes -= (int64_t)sequence_bytes(sequence);
	sequence_drop_first(sequence);
	window->bytes += (int64_t)sequence_bytes(sequence);
	if (sequence_at(whole, 0) == entry)
		sequence_drop_first(whole);
	if (!room_has_entries(entry->room))
		window->bytes -= room_cost(entry->room);
}

struct entry *window_append(struct window *window, struct room *room, int64_t id,
                            int64_t log_id, struct text json)
{
	struct entry *entry = memory_get(sizeof *entry + json.size);

	list_init(&entry->in_window);
	entry->room = room;
	entry->id = id;
	entry->log_id = log_id;
	entry->position = ++window->position;
	entry->size = (uint32_t)json.size;
	memcpy(entry->json, json.data, json.size);
	list_append(&window->entries, &entry->in_window);
	enter_rooms(window, entry);
	window->bytes += cost(entry);
	window->count++;
	return entry;
}

void window_mark_signal(struct window *window, struct entry *entry)
{
	entry->is_signal = true;
	window->signal_bytes += cost(entry);
}

static void drop(struct window *window, struct entry *entry)
{
	if (entry->is_signal)
		window->signal_bytes -= cost(entry);
	window->bytes -= cost(entry);
	window->count--;
	list_remove(&entry->in_window);
	leave_rooms(window, entry);
	free(entry);
}

static struct entry *oldest_entry(const struct window *window)
{
	/* clang's analyzer does not see that drop() takes entries out of the list.
	 * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
	return LIST_OWNER(window->entries.next, struct entry, in_window);
}

/* The oldest of its kind. */
static void drop_and_settle(struct window *window, struct rooms *rooms,
                            struct entry *entry)
{
	struct room *room = entry->room;

	drop(window, entry);
	/* So what a room's feed has cached lives no longer than its messages. */
	feed_forget_deliveries(&rooms->cache, &room->own);
	if (!room_has_entries(room))
		rooms_settle(rooms, room);
}

static void drop_oldest(struct window *window, struct rooms *rooms)
{
	struct entry *entry = oldest_entry(window);

	window->from = entry->log_id;
	drop_and_settle(window, rooms, entry);
}

/* Drops the entries up to this id from `whole`, which from then on lacks them. */
static void whole_drop(struct window *window, int64_t upto)
{
	struct sequence *logged = &window->whole.logged;
	struct entry *entry;

	while ((entry = sequence_at(logged, 0)) != NULL && entry->id <= upto) {
		window->whole.from = entry->id;
		sequence_drop_first(logged);
	}
}

void window_drop(struct window *window, struct room *room, int64_t upto)
{
	struct entry *entry;

	while ((entry = sequence_at(&room->logged, 0)) != NULL &&
	       entry->id <= upto) {
		whole_drop(window, entry->id);
		drop(window, entry);
	}
}

/* `whole` has all entries that are in no log, so its first is also the first of its
 * room. */
static bool evict_signals(struct window *window, struct rooms *rooms, int64_t upto)
{
	while (window_has_too_many_signals(window)) {
		struct entry *entry = sequence_at(&window->whole.unlogged, 0);

		if (entry->position > upto)
			return false;
		drop_and_settle(window, rooms, entry);
	}
	return true;
}

bool window_evict(struct window *window, struct rooms *rooms, int64_t upto)
{
	if (!evict_signals(window, rooms, upto))
		return false;
	while (window->bytes > window->limit_bytes) {
		const struct entry *entry = oldest_entry(window);

		if (entry->id == 0 && entry->position > upto)
			return false;
		drop_oldest(window, rooms);
	}
	return true;
}

void window_clear(struct window *window, struct rooms *rooms)
{
	while (!list_is_empty(&window->entries))
		drop_oldest(window, rooms);
}
