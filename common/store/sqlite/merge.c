/* Reads several rooms. Their ranges of the index are merged, with an open statement for
 * each room, so each range is read only as far as the page goes, and one id more. The
 * statements give ids alone: a row that the page has no place for is never read.
 *
 * Road not taken: one statement with all rooms in a list. SQLite would read every
 * range to its end, and sort. */
#include <stdlib.h>

#include "base/memory.h"
#include "store/sqlite/private.h"

struct room_cursor {
	sqlite3_stmt *ids; /* kept for later reads; NULL: was never needed */
	const struct room_name *room;
	int64_t room_id;
	int64_t id; /* it is at this one */
};

void sqlite_merge_reset(struct sqlite_merge *merge)
{
	while (merge->open > 0)
		sqlite3_reset(merge->cursors[--merge->open].ids);
}

void sqlite_merge_release(struct sqlite_merge *merge)
{
	for (size_t i = 0; i < merge->size; i++)
		sqlite3_finalize(merge->cursors[i].ids);
	free(merge->cursors);
	*merge = (struct sqlite_merge){0};
}

static void merge_grow(struct sqlite_merge *merge, size_t size)
{
	if (size <= merge->size)
		return;
	merge->cursors = memory_resize(merge->cursors,
	                               size * sizeof *merge->cursors);
	for (; merge->size < size; merge->size++)
		merge->cursors[merge->size] = (struct room_cursor){0};
}

static void merge_swap(struct sqlite_merge *merge, size_t a, size_t b)
{
	struct room_cursor cursor = merge->cursors[a];

	merge->cursors[a] = merge->cursors[b];
	merge->cursors[b] = cursor;
}

/* Restores the order of the heap, if only the cursor `at` is at too high an id. */
static void merge_sink(struct sqlite_merge *merge, size_t at)
{
	const struct room_cursor *cursors = merge->cursors;

	for (;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < merge->open &&
		    cursors[child + 1].id < cursors[child].id)
			child++;
		if (child >= merge->open || cursors[at].id <= cursors[child].id)
			return;
		merge_swap(merge, at, child);
		at = child;
	}
}

/* A room without rows is left out. */
static bool merge_add(struct sqlite_store *s, const struct room_name *room,
                      int64_t room_id, const struct rooms_page *page)
{
	struct room_cursor *cursor = &s->merge.cursors[s->merge.open];
	sqlite3_stmt *ids = sqlite_prepare_at(s, ROOM_IDS_AFTER, &cursor->ids);

	if (ids == NULL)
		return false;
	sqlite3_bind_int64(ids, 1, room_id);
	sqlite3_bind_int64(ids, 2, page->upto);
	cursor->room = room;
	cursor->room_id = room_id;
	if (!sqlite_next_id(ids, page->end.newest, &cursor->id))
		return false;
	s->merge.open += cursor->id != 0;
	return true;
}

static bool begin_merge(struct sqlite_store *s, const struct room_name *rooms,
                        size_t count, const struct rooms_page *page)
{
	struct sqlite_merge *merge = &s->merge;
	bool good = true;

	merge_grow(merge, count);
	for (size_t i = 0; good && i < count; i++) {
		int64_t room_id;

		good = sqlite_find_state(s, &rooms[i], &page->end, &room_id,
		                         &page->states[i]) &&
		       (room_id == 0 || merge_add(s, &rooms[i], room_id, page));
	}
	for (size_t at = merge->open / 2; at-- > 0;)
		merge_sink(merge, at);
	return good;
}

static bool merge_advance(struct sqlite_merge *merge, int64_t newest)
{
	struct room_cursor *first = &merge->cursors[0];

	if (!sqlite_next_id(first->ids, newest, &first->id))
		return false;
	if (first->id == 0)
		merge_swap(merge, 0, --merge->open);
	merge_sink(merge, 0);
	return true;
}

/* Takes the row that the first cursor is at. */
static bool take_first(struct sqlite_store *s, struct rooms_cut *cut, bool *goes_on)
{
	const struct room_cursor *first = &s->merge.cursors[0];
	struct message m = {.room = *first->room};
	sqlite3_stmt *row;

	if (sqlite_find_message(s, first->room_id, first->id, &m, &row) != SQLITE_ROW)
		return false;
	*goes_on = rooms_cut_take(cut, &m);
	return sqlite3_reset(row) == SQLITE_OK;
}

static bool merge_rows(struct sqlite_store *s, struct rooms_cut *cut)
{
	bool good = true, goes_on = true;

	while (good && goes_on && s->merge.open > 0)
		good = take_first(s, cut, &goes_on) &&
		       (!goes_on ||
		        merge_advance(&s->merge, cut->page->end.newest));
	if (good)
		sqlite_merge_reset(&s->merge);
	return good;
}

bool sqlite_read_rooms(void *connection, const struct room_name *rooms, size_t count,
                       struct rooms_cut *cut)
{
	struct sqlite_store *s = connection;
	struct rooms_page *page = cut->page;

	if (!sqlite_enter(s))
		return false;
	return sqlite_finish_read(
		s, sqlite_begin_read(s, &page->end) &&
			   begin_merge(s, rooms, count, page) &&
			   merge_rows(s, cut));
}
