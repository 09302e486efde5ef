#include "hub/log_read.h"

#include <stdlib.h>

#include "base/memory.h"
#include "hub/room.h"

enum { LEAST_ITEMS = 16 };

struct log_read *log_read_new(enum log_read_kind kind)
{
	struct log_read *read = memory_get(sizeof *read);

	read->kind = kind;
	return read;
}

void log_read_free(struct log_read *read)
{
	buffer_release(&read->json);
	incarnations_release(&read->incarnations);
	free(read->items);
	free(read->rooms);
	free(read->states);
	free(read->changes);
	free(read->gaps);
	free(read);
}

void log_read_name_rooms(struct log_read *read)
{
	const struct feed *feed = read->feed;

	read->rooms = memory_get(feed->count * sizeof *read->rooms);
	read->room_count = feed->count;
	for (size_t i = 0; i < feed->count; i++)
		read->rooms[i] = feed->rooms[i].room->name;
}

void log_read_add_item(struct log_read *read, int64_t id,
                       const struct room_name *room, size_t at)
{
	size_t capacity = read->item_capacity;

	if (read->item_count == capacity) {
		capacity = capacity > 0 ? 2 * capacity : LEAST_ITEMS;
		read->items = memory_resize(read->items,
		                            capacity * sizeof *read->items);
		read->item_capacity = capacity;
	}
	read->items[read->item_count++] = (struct log_item){
		.id = id,
		.room = *room,
		.at = at,
		.size = read->json.size - at,
	};
}
