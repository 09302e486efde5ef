#include "hub/feeds.h"

#include <search.h>
#include <stdlib.h>

#include "base/memory.h"

void feeds_init(struct feeds *feeds, struct rooms *rooms, struct feed *of_all)
{
	*feeds = (struct feeds){.rooms = rooms, .of_all = of_all};
	list_init(&feeds->idle);
}

static int compare_texts(struct text a, struct text b)
{
	if (a.size != b.size)
		return a.size < b.size ? -1 : 1;
	return a.size > 0 ? memcmp(a.data, b.data, a.size) : 0;
}

static int compare_addresses(const struct room *a, const struct room *b)
{
	return (a > b) - (a < b);
}

/* A feed keeps its rooms in use, so their addresses tell them apart. The rooms are in
 * the order of their names. */
static int compare_feeds(const void *left, const void *right)
{
	const struct feed *a = left, *b = right;
	int order = (a->count > b->count) - (a->count < b->count);

	for (size_t i = 0; order == 0 && i < a->count; i++)
		order = compare_addresses(a->rooms[i].room, b->rooms[i].room);
	return order != 0 ? order
	                  : compare_texts(buffer_text(&a->forbidden),
	                                  buffer_text(&b->forbidden));
}

static int compare_subscriptions(const void *left, const void *right)
{
	const struct subscription *a = left, *b = right;

	return strcmp(a->room->name.string, b->room->name.string);
}

/* Returns a feed that is in no table, and whose rooms do not know it. Its rooms are in
 * use. */
static struct feed *draft_feed(struct feeds *feeds, const struct room_list *list,
                               struct text forbidden)
{
	struct feed *feed = memory_get(sizeof *feed);

	feed_init(feed, FEED_SEVERAL,
	          memory_get(list->count * sizeof *feed->rooms), list->count);
	buffer_add_text(&feed->forbidden, forbidden);
	for (size_t i = 0; i < list->count; i++) {
		struct room *room = rooms_get(feeds->rooms, &list->names[i]);

		rooms_use(feeds->rooms, room);
		feed->rooms[i].room = room;
	}
	qsort(feed->rooms, feed->count, sizeof *feed->rooms,
	      compare_subscriptions);
	return feed;
}

/* The feed has no users. */
static void feed_free(struct feeds *feeds, struct feed *feed)
{
	feed_forget_deliveries(&feeds->rooms->cache, feed);
	for (size_t i = 0; i < feed->count; i++)
		rooms_leave(feeds->rooms, feed->rooms[i].room);
	buffer_release(&feed->forbidden);
	free(feed->rooms);
	free(feed);
}

/* Returns the feed of the same rooms that is in the table: if there was none, this
 * one. */
static struct feed *enter_table(struct feeds *feeds, struct feed *feed)
{
	struct feed **place = tsearch(feed, &feeds->tree, compare_feeds);

	if (place != NULL)
		return *place;
	memory_give_up(3 * sizeof(void *)); /* a node */
}

static struct feed *get_several(struct feeds *feeds, const struct room_list *list,
                                struct text forbidden)
{
	struct feed *draft = draft_feed(feeds, list, forbidden);
	struct feed *feed = enter_table(feeds, draft);

	if (feed != draft)
		feed_free(feeds, draft);
	else
		feeds->count++;
	return feed;
}

struct feed *feeds_get(struct feeds *feeds, const struct room_list *list,
                       struct text forbidden)
{
	struct feed *feed;

	if (list->is_all)
		feed = feeds->of_all;
	else if (list->is_several)
		feed = get_several(feeds, list, forbidden);
	else
		feed = &rooms_get(feeds->rooms, &list->names[0])->own;
	feeds_use(feeds, feed);
	return feed;
}

static void forget_feed(struct feeds *feeds, struct feed *feed)
{
	tdelete(feed, &feeds->tree, compare_feeds);
	feeds->count--;
	feed_free(feeds, feed);
}

/* Long lists of forbidden names count as rooms too, by their memory. */
static size_t weight_of(const struct feed *feed)
{
	return feed->count + feed->forbidden.size / sizeof(struct room);
}

static void stop_resting(struct feeds *feeds, struct feed *feed)
{
	if (list_is_empty(&feed->idle))
		return;
	list_remove(&feed->idle);
	feeds->idle_rooms -= weight_of(feed);
}

static void drop_longest_idle(struct feeds *feeds)
{
	struct feed *feed = LIST_OWNER(feeds->idle.next, struct feed, idle);

	stop_resting(feeds, feed);
	forget_feed(feeds, feed);
}

void feeds_release(struct feeds *feeds)
{
	while (!list_is_empty(&feeds->idle))
		drop_longest_idle(feeds);
}

void feeds_wake(struct feeds *feeds, struct feed *feed)
{
	if (feed->kind == FEED_ROOM)
		rooms_use(feeds->rooms, feed->rooms[0].room);
	if (feed->kind != FEED_SEVERAL)
		return;
	stop_resting(feeds, feed);
	for (size_t i = 0; i < feed->count; i++) {
		struct room *room = feed->rooms[i].room;

		feed_subscribe(feed, i, room, &room->feeds);
	}
}

/* A feed without users hears nothing of its rooms, so that a message costs nothing for
 * those who have left. */
void feeds_rest(struct feeds *feeds, struct feed *feed)
{
	list_remove(&feed->deferring);
	if (feed->kind == FEED_ROOM)
		rooms_leave(feeds->rooms, feed->rooms[0].room);
	if (feed->kind != FEED_SEVERAL)
		return;
	list_remove(&feed->hungry);
	for (size_t i = 0; i < feed->count; i++)
		list_remove(&feed->rooms[i].in_room);
	list_append(&feeds->idle, &feed->idle);
	feeds->idle_rooms += weight_of(feed);
	while (feeds->idle_rooms > FEEDS_IDLE_ROOMS)
		drop_longest_idle(feeds);
}
