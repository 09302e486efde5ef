#include "hub/news.h"

static int64_t id_of(const struct entry *entry)
{
	return entry->id;
}

static int64_t position_of(const struct entry *entry)
{
	return entry->position;
}

struct news news_after(const struct room *room, const struct cursor *place)
{
	return (struct news){
		.room = room,
		.logged = sequence_count_up_to(&room->logged, place->id, id_of),
		.unlogged = sequence_count_up_to(&room->unlogged,
		                                 place->position, position_of),
	};
}

const struct entry *news_take(struct news *news)
{
	const struct entry *logged =
		sequence_at(&news->room->logged, news->logged);
	const struct entry *unlogged =
		sequence_at(&news->room->unlogged, news->unlogged);

	if (logged == NULL ||
	    (unlogged != NULL && unlogged->position < logged->position)) {
		news->unlogged++;
		return unlogged;
	}
	news->logged++;
	return logged;
}

bool news_is_longer(struct news news, size_t bytes)
{
	const struct entry *entry;
	size_t sum = 0;

	while (sum <= bytes && (entry = news_take(&news)) != NULL)
		sum += entry->size;
	return sum > bytes;
}
