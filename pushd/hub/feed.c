#include "hub/feed.h"

#include "base/clock.h"

void feed_init(struct feed *feed, enum feed_kind kind,
               struct subscription *rooms, size_t count)
{
	*feed = (struct feed){.kind = kind, .rooms = rooms, .count = count};
	list_init(&feed->parked);
	list_init(&feed->patient);
	list_init(&feed->queued);
	list_init(&feed->asking);
	list_init(&feed->resetting);
	list_init(&feed->reset_asking);
	list_init(&feed->hungry);
	list_init(&feed->deferring);
	list_init(&feed->idle);
	list_init(&feed->caching);
}

void feed_subscribe(struct feed *feed, size_t index, struct room *room,
                    struct list *feeds_of_room)
{
	struct subscription *place = &feed->rooms[index];

	place->room = room;
	place->feed = feed;
	list_init(&place->in_room);
	list_append(feeds_of_room, &place->in_room);
}

static bool is_cached_for(const struct cached_delivery *cached,
                          const struct cursor *place)
{
	return cached->id == place->id && cached->position == place->position;
}

const struct cached_delivery *feed_find_cached(const struct delivery_cache *cache,
                                               const struct feed *feed,
                                               const struct cursor *place)
{
	int64_t oldest_ms = clock_monotonic_ms() - FEED_DELIVERY_LIFE_MS;

	for (size_t i = 0; i < FEED_CACHED_DELIVERIES; i++) {
		const struct cached_delivery *cached = &feed->cached[i];

		if (cached->delivery != NULL && is_cached_for(cached, place) &&
		    cached->states == cache->states &&
		    cached->made_ms >= oldest_ms)
			return cached;
	}
	return NULL;
}

void delivery_cache_init(struct delivery_cache *cache, int64_t limit_bytes)
{
	list_init(&cache->caching);
	cache->bytes = 0;
	cache->limit_bytes = limit_bytes;
	cache->states = 0;
}

/* What clients determine. */
static int64_t cached_bytes(const struct delivery *delivery)
{
	return (int64_t)(delivery->messages.size + delivery->gap_rooms.size +
	                 delivery->forbidden.size);
}

static void forget_cached(struct delivery_cache *cache,
                          struct cached_delivery *cached)
{
	if (cached->delivery == NULL)
		return;
	cache->bytes -= cached_bytes(cached->delivery);
	delivery_unref(cached->delivery);
	cached->delivery = NULL;
}

void feed_forget_deliveries(struct delivery_cache *cache, struct feed *feed)
{
	list_remove(&feed->caching);
	for (size_t i = 0; i < FEED_CACHED_DELIVERIES; i++)
		forget_cached(cache, &feed->cached[i]);
}

static struct feed *longest_caching(const struct delivery_cache *cache)
{
	if (list_is_empty(&cache->caching))
		return NULL;
	return LIST_OWNER(cache->caching.next, struct feed, caching);
}

/* There is one delivery at most for each place. */
static struct cached_delivery *place_in_cache(struct feed *feed,
                                              const struct cursor *place)
{
	for (size_t i = 0; i < FEED_CACHED_DELIVERIES; i++)
		if (is_cached_for(&feed->cached[i], place))
			return &feed->cached[i];
	return &feed->cached[feed->next_cached++ % FEED_CACHED_DELIVERIES];
}

void feed_cache_delivery(struct delivery_cache *cache, struct feed *feed,
                         const struct cursor *place, const struct cursor *end,
                         struct delivery *delivery)
{
	struct cached_delivery *cached = place_in_cache(feed, place);

	forget_cached(cache, cached);
	*cached = (struct cached_delivery){
		.id = place->id,
		.position = place->position,
		.end = *end,
		.states = cache->states,
		.made_ms = clock_monotonic_ms(),
		.delivery = delivery_ref(delivery),
	};
	feed->cached_ms = cached->made_ms;
	list_append(&cache->caching, &feed->caching);
	cache->bytes += cached_bytes(delivery);
	while (cache->bytes > cache->limit_bytes && longest_caching(cache) != feed)
		feed_forget_deliveries(cache, longest_caching(cache));
}

void delivery_cache_forget_old(struct delivery_cache *cache, int64_t now_ms)
{
	struct feed *feed;

	while ((feed = longest_caching(cache)) != NULL &&
	       feed->cached_ms < now_ms - FEED_DELIVERY_LIFE_MS)
		feed_forget_deliveries(cache, feed);
}
