/* Tests of the window and of lookups in it, compared with a plain scan of
 * everything that was put in. */
#include "unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "hub/feeds.h"
#include "hub/news.h"

enum { ROOMS = 3, ENTRIES_MAX = 3000, STEPS = 3000, SEED = 20261130 };

struct told {
	int room;
	int64_t id, position;
};

struct model {
	struct window window;
	struct rooms rooms;
	struct feeds feeds;
	struct feed *several; /* of all rooms but the second */
	struct news news;
	struct room *room[ROOMS];
	struct told told[ENTRIES_MAX]; /* all ever */
	size_t count;
	int64_t newest;
	struct random random;
};

static void setup(struct model *m)
{
	char name[16];

	*m = (struct model){.random = random_from(SEED)};
	window_init(&m->window, 1 << 20);
	rooms_init(&m->rooms, 1 << 20);
	feeds_init(&m->feeds, &m->rooms, &m->window.whole.own);
	for (int i = 0; i < ROOMS; i++) {
		snprintf(name, sizeof name, "room_%d", i + 1);
		struct room_name named = room_named(name);
		m->room[i] = rooms_get(&m->rooms, &named);
		rooms_use(&m->rooms, m->room[i]);
	}
	struct room_list list;
	assert_int_equal(
		room_list_parse(text_of("room_3,room_1"), 2, &list).type,
		PROBLEM_NONE);
	m->several = feeds_get(&m->feeds, &list, text_of(""));
	assert_ptr_equal(feeds_get(&m->feeds, &list, text_of("")), m->several);
	feeds_leave(&m->feeds, m->several);
	room_list_release(&list);
}

static void teardown(struct model *m)
{
	window_clear(&m->window, &m->rooms);
	expect(m->window.bytes == 0, "%" PRId64 " bytes of nothing",
	       m->window.bytes);
	news_release(&m->news);
	feeds_leave(&m->feeds, m->several);
	feeds_release(&m->feeds);
	for (int i = 0; i < ROOMS; i++)
		rooms_leave(&m->rooms, m->room[i]);
	rooms_release(&m->rooms);
}

static void append(struct model *m)
{
	int room = (int)random_below(&m->random, ROOMS);
	bool is_logged = random_below(&m->random, 3) > 0;

	if (m->count == ENTRIES_MAX)
		return;
	if (is_logged)
		m->newest += 1 + (int64_t)random_below(&m->random, 3);
	window_append(&m->window, m->room[room], is_logged ? m->newest : 0,
	              m->newest, text_of("{}"));
	m->told[m->count++] = (struct told){room, is_logged ? m->newest : 0,
	                                    m->window.position};
}

/* As many as chance decides: often few, now and then most. */
static void evict(struct model *m)
{
	int64_t limit = m->window.limit_bytes;
	size_t share = random_below(&m->random, 100);

	m->window.limit_bytes = m->window.bytes - m->window.bytes *
	                        (int64_t)(share < 95 ? 2 : share) / 100;
	assert_true(window_evict(&m->window, &m->rooms, INT64_MAX));
	m->window.limit_bytes = limit;
}

static bool is_lacking(const struct told *told, const struct cursor *place)
{
	return told->id > 0 ? told->id > place->id
	                    : told->position > place->position;
}

/* The feeds: of each room, of several, and of all. */
enum { OF_SEVERAL = ROOMS, OF_ALL, FEEDS };

static struct feed *feed_of(struct model *m, int which)
{
	if (which == OF_ALL)
		return &m->window.whole.own;
	return which == OF_SEVERAL ? m->several : &m->room[which]->own;
}

static bool is_followed(const struct told *told, int which)
{
	return which == OF_ALL || told->room == which ||
	       (which == OF_SEVERAL && told->room != 1);
}

static void compare(struct model *m)
{
	int which = (int)random_below(&m->random, FEEDS);
	struct cursor place = {
		.id = (int64_t)random_below(&m->random, (size_t)m->newest + 2),
		.position = (int64_t)random_below(
			&m->random, (size_t)m->window.position + 2),
	};
	size_t kept = (size_t)m->window.count, found = 0;

	news_begin(&m->news, feed_of(m, which), &place);
	for (size_t i = m->count - kept; i < m->count; i++) {
		const struct told *told = &m->told[i];

		if (!is_followed(told, which) || !is_lacking(told, &place))
			continue;
		const struct entry *entry = news_take(&m->news);
		assert_non_null(entry);
		assert_int_equal(entry->position, told->position);
		found++;
	}
	assert_null(news_take(&m->news));
	expect(news_are_there(feed_of(m, which), &place) == (found > 0),
	       "%zu found", found);
}

static void a_search_finds_what_a_walk_does(void **state)
{
	static struct model m;

	(void)state;
	setup(&m);
	for (int i = 0; i < STEPS; i++) {
		append(&m);
		if (random_below(&m.random, 20) == 0)
			evict(&m);
		compare(&m);
	}
	teardown(&m);
}

int run_window(void)
{
	const struct CMUnitTest tests[] = {
		TEST("a lookup from any position finds all messages that it "
	             "lacks, in order",
	             a_search_finds_what_a_walk_does),
	};

	return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
