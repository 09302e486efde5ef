#include "hub/delivery.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

enum { LEAST_ITEMS = 4 };

struct delivery *delivery_new(const struct room_name *room)
{
	/* glibc's calloc() costs as much as all the rest of an empty one. */
	struct delivery *delivery = memory_resize(NULL, sizeof *delivery);

	*delivery = (struct delivery){.refcount = 1, .is_several = room == NULL};
	if (room != NULL)
		delivery->room = *room;
	return delivery;
}

void delivery_add_gap(struct delivery *delivery, const struct room_name *room)
{
	delivery->gap = true;
	if (delivery->gap_rooms.size > 0)
		buffer_add_string(&delivery->gap_rooms, ",");
	buffer_add_json(&delivery->gap_rooms, room_name_text(room));
}

static void reserve_item(struct delivery *delivery)
{
	size_t capacity = delivery->item_capacity;

	if ((size_t)delivery->count < capacity)
		return;
	delivery->item_capacity = capacity > 0 ? 2 * capacity : LEAST_ITEMS;
	delivery->items = memory_resize(
		delivery->items, delivery->item_capacity * sizeof *delivery->items);
}

void delivery_add(struct delivery *delivery, struct text json, int64_t id,
                  int64_t position)
{
	if (delivery->count > 0)
		buffer_add_string(&delivery->messages, ",");
	buffer_add_text(&delivery->messages, json);
	reserve_item(delivery);
	delivery->items[delivery->count++] = (struct delivery_item){
		.id = id,
		.position = position,
		.end = delivery->messages.size,
	};
}

struct delivery *delivery_ref(struct delivery *delivery)
{
	delivery->refcount++;
	return delivery;
}

static void delivery_free(struct delivery *delivery)
{
	for (size_t i = 0; i < DELIVERY_FORMS; i++) {
		const struct delivery_form *kept = &delivery->forms[i];

		if (kept->form != NULL)
			kept->unref(kept->form);
	}
	if (delivery->count > 0) {
		buffer_release(&delivery->messages);
		free(delivery->items);
	}
	if (delivery->gap)
		buffer_release(&delivery->gap_rooms);
	if (delivery->forbidden.size > 0)
		buffer_release(&delivery->forbidden);
	free(delivery);
}

void delivery_unref(struct delivery *delivery)
{
	if (delivery == NULL)
		return;
	assert(delivery->refcount > 0);
	if (--delivery->refcount == 0)
		delivery_free(delivery);
}

struct text delivery_message(const struct delivery *delivery, size_t index)
{
	size_t at = index > 0 ? delivery->items[index - 1].end + 1 : 0;

	assert(index < (size_t)delivery->count);
	return (struct text){delivery->messages.data + at,
	                     delivery->items[index].end - at};
}

struct cursor delivery_cursor_after(const struct delivery *delivery, size_t index)
{
	struct cursor cursor = delivery->cursor;

	assert(index < (size_t)delivery->count);
	cursor.id = delivery->items[index].id;
	cursor.position = delivery->items[index].position;
	return cursor;
}

void delivery_keep_form(struct delivery *delivery, unsigned kind, void *form,
                        void (*unref)(void *form))
{
	assert(kind < DELIVERY_FORMS && delivery->forms[kind].form == NULL);
	delivery->forms[kind] = (struct delivery_form){form, unref};
}
