#include "hub/news.h"

#include <stdlib.h>

#include "base/memory.h"

static int64_t id_of(const struct entry *entry)
{
	return entry->id;
}

static int64_t position_of(const struct entry *entry)
{
	return entry->position;
}

const struct entry *news_first_logged(const struct room *room, int64_t id)
{
	return sequence_at(&room->logged,
	                   sequence_count_up_to(&room->logged, id, id_of));
}

/* Sets the first of what the room still has. */
static void find_first(struct news_part *part)
{
	const struct entry *logged =
		sequence_at(&part->room->logged, part->logged);
	const struct entry *unlogged =
		sequence_at(&part->room->unlogged, part->unlogged);

	if (logged == NULL ||
	    (unlogged != NULL && unlogged->position < logged->position))
		part->first = unlogged;
	else
		part->first = logged;
}

static void pass_first(struct news_part *part)
{
	if (part->first->id > 0)
		part->logged++;
	else
		part->unlogged++;
	find_first(part);
}

static bool comes_before(const struct news_part *a, const struct news_part *b)
{
	return a->first->position < b->first->position;
}

static void sift_down(struct news *news, size_t at)
{
	struct news_part part = news->heap[at];
	size_t child;

	while ((child = 2 * at + 1) < news->count) {
		if (child + 1 < news->count &&
		    comes_before(&news->heap[child + 1], &news->heap[child]))
			child++;
		if (!comes_before(&news->heap[child], &part))
			break;
		news->heap[at] = news->heap[child];
		at = child;
	}
	news->heap[at] = part;
}

static void reserve_parts(struct news *news, size_t count)
{
	if (count <= news->capacity)
		return;
	news->heap = memory_resize(news->heap, count * sizeof *news->heap);
	news->capacity = count;
}

static void add_part(struct news *news, const struct room *room,
                     const struct cursor *place)
{
	struct news_part part = {
		.room = room,
		.logged = sequence_count_up_to(&room->logged, place->id, id_of),
		.unlogged = sequence_count_up_to(&room->unlogged,
		                                 place->position, position_of),
	};

	find_first(&part);
	if (part.first != NULL)
		news->heap[news->count++] = part;
}

void news_begin(struct news *news, const struct feed *feed,
                const struct cursor *place)
{
	news->count = 0;
	reserve_parts(news, feed->count);
	for (size_t i = 0; i < feed->count; i++)
		if (news_are_in_room(feed->rooms[i].room, place))
			add_part(news, feed->rooms[i].room, place);
	for (size_t i = news->count / 2; i-- > 0;)
		sift_down(news, i);
}

void news_release(struct news *news)
{
	free(news->heap);
	*news = (struct news){0};
}

const struct entry *news_take(struct news *news)
{
	const struct entry *entry;

	if (news->count == 0)
		return NULL;
	entry = news->heap[0].first;
	pass_first(&news->heap[0]);
	if (news->heap[0].first == NULL)
		news->heap[0] = news->heap[--news->count];
	if (news->count > 1)
		sift_down(news, 0);
	return entry;
}

bool news_are_longer(struct news *news, size_t bytes)
{
	const struct entry *entry;
	size_t sum = 0;

	while (sum <= bytes && (entry = news_take(news)) != NULL)
		sum += entry->size;
	return sum > bytes;
}
