#include "store/cut.h"

#include "base/plain.h"
#include "store/foreign.h"
#include "store/room_id.h"

/* ---- The rows of a page ---- */

/* The bytes that escaping adds to a byte in a JSON string, as in
 * buffer_add_json(). */
static size_t escape_size(unsigned char c)
{
	if (c == '"' || c == '\\' || (c >= '\b' && c <= '\r' && c != '\v'))
		return 1;
	return c < 0x20 ? 5 : 0;
}

/* Returns about the size of the content as a JSON string: bytes that are not UTF-8
 * take more. */
static int64_t json_size(struct text content)
{
	size_t size = content.size;

	for (size_t at = 0; at < content.size; at++) {
		at += plain_length((struct text){content.data + at, content.size - at});
		if (at < content.size)
			size += escape_size((unsigned char)content.data[at]);
	}
	return (int64_t)size;
}

/* Data is JSON already. */
static int64_t entry_size(struct text content, struct text data)
{
	return json_size(content) + (int64_t)data.size + CUT_ENTRY_BYTES;
}

static bool row_cut_is_full(const struct row_cut *rows)
{
	return rows->count >= rows->limit ||
	       (rows->bytes > 0 && rows->size >= rows->bytes);
}

static void row_cut_give(struct row_cut *rows, const struct message *m)
{
	if (!foreign_may_be_given(m))
		return;
	rows->visit(rows->context, m);
	if (rows->bytes > 0)
		rows->size += entry_size(m->content, m->data);
}

/* For reads of all rooms. */
static bool is_of_a_room(struct message *m, int64_t room_id, struct text room_name)
{
	if (room_id_read(room_id, room_name, &m->room))
		return true;
	foreign_pass_over(m->id, "its room_id is of no room");
	return false;
}

/* ---- A page of a room ---- */

/* Backwards the limit of bytes becomes one of rows, by page_cut_measure(). */
struct page_cut page_cut_begin(const struct store_range *range, store_visit *visit,
                               void *context, struct store_page *page)
{
	*page = (struct store_page){0};
	return (struct page_cut){
		.range = range,
		.page = page,
		.rows = {
			.visit = visit,
			.context = context,
			.limit = range->limit,
			.bytes = range->direction == STORE_AFTER ? range->bytes
			                                         : 0,
		},
	};
}

/* A page is read oldest first. So the number of newest messages that fit
 * range->bytes must be determined before they are read. */
bool page_cut_is_measured(const struct page_cut *cut)
{
	return cut->range->bytes > 0 && cut->range->direction != STORE_AFTER;
}

bool page_cut_measure(struct page_cut *cut, struct text content, struct text data)
{
	cut->rows.size += content.size + data.size <= FOREIGN_ROW_BYTES_MAX
	                          ? entry_size(content, data)
	                          : CUT_ENTRY_BYTES;
	cut->rows.limit = ++cut->measured;
	return cut->rows.size < cut->range->bytes;
}

bool page_cut_take(struct page_cut *cut, const struct message *m)
{
	struct store_page *page = cut->page;

	page->more = row_cut_is_full(&cut->rows);
	if (page->more)
		return false;
	row_cut_give(&cut->rows, m);
	page->first = page->count == 0 ? m->id : page->first;
	page->last = m->id;
	page->count = ++cut->rows.count;
	return true;
}

/* Asked only if the reader's position is below the room's highest removed id. For a
 * page that reaches beyond that id, the room's state already has the answer. */
bool page_cut_needs_hole(struct page_cut *cut, int64_t *upto)
{
	struct store_page *page = cut->page;

	if (cut->range->direction != STORE_AFTER ||
	    page->state.pruned <= cut->range->id)
		return false;
	*upto = page->last;
	if (page->more && page->last < page->state.pruned)
		return true;
	page->removed = page->state.pruned;
	return false;
}

void page_cut_end(struct page_cut *cut)
{
	struct store_page *page = cut->page;

	if (cut->range->direction != STORE_AFTER)
		page->more = page->count > 0 && page->first > page->state.earliest;
}

/* ---- Several rooms ---- */

struct rooms_cut rooms_cut_begin(const struct store_range *range,
                                 store_visit *visit, void *context,
                                 struct rooms_page *page)
{
	*page = (struct rooms_page){.upto = range->id, .states = page->states};
	return (struct rooms_cut){.page = page,
	                          .rows = {.visit = visit,
	                                   .context = context,
	                                   .limit = range->limit,
	                                   .bytes = range->bytes}};
}

/* Whether the page goes on to this id. What has the same id stays together. */
static bool rooms_cut_reaches(struct rooms_cut *cut, int64_t id)
{
	struct rooms_page *page = cut->page;

	page->more = id > page->upto && row_cut_is_full(&cut->rows);
	if (page->more)
		return false;
	page->upto = id;
	cut->rows.count++;
	return true;
}

bool rooms_cut_take(struct rooms_cut *cut, const struct message *m)
{
	if (!rooms_cut_reaches(cut, m->id))
		return false;
	row_cut_give(&cut->rows, m);
	return true;
}

void rooms_cut_end(struct rooms_cut *cut)
{
	if (!cut->page->more)
		cut->page->upto = cut->page->end.newest;
}

/* ---- All rooms ---- */

bool all_cut_take(struct all_cut *cut, struct message *m, int64_t room_id,
                  struct text room_name)
{
	if (!rooms_cut_reaches(&cut->rooms, m->id))
		return false;
	if (is_of_a_room(m, room_id, room_name))
		row_cut_give(&cut->rooms.rows, m);
	return true;
}

/* Ends the page before this id, for lack of a place, with no gap that has the same id.
 * False: there would be none at all, and the next page would be no better. */
static bool all_cut_end_before(struct all_cut *cut, int64_t id)
{
	struct rooms_page *page = cut->rooms.page;
	const struct room_gap *gaps = cut->gaps->gaps;
	size_t count = cut->gaps->count;

	while (count > 0 && gaps[count - 1].removed == id)
		count--;
	if (count == 0)
		return false;
	cut->gaps->count = count;
	page->upto = id - 1;
	page->more = true;
	return true;
}

/* False: the page ends before it. */
static bool all_cut_add_gap(struct all_cut *cut, const struct room_gap *gap)
{
	struct rooms_gaps *gaps = cut->gaps;

	if (gaps->count == gaps->most)
		return !all_cut_end_before(cut, gap->removed);
	gaps->gaps[gaps->count++] = *gap;
	return true;
}

bool all_cut_take_removed(struct all_cut *cut, int64_t id, bool is_highest,
                          int64_t room_id, struct text room_name)
{
	struct room_gap gap = {.removed = id};

	if (!rooms_cut_reaches(&cut->rooms, id))
		return false;
	return !is_highest || !room_id_read(room_id, room_name, &gap.room) ||
	       all_cut_add_gap(cut, &gap);
}

/* ---- The log ---- */

struct log_cut log_cut_begin(int64_t id, int64_t limit, int64_t bytes,
                             store_visit *visit, void *context,
                             struct log_page *page)
{
	page->upto = id;
	return (struct log_cut){
		.visit = visit,
		.context = context,
		.page = page,
		.limit = limit,
		.bytes = bytes,
	};
}

bool log_cut_take(struct log_cut *cut, struct message *m, int64_t room_id,
                  struct text room_name)
{
	if (foreign_may_be_given(m) && is_of_a_room(m, room_id, room_name)) {
		cut->visit(cut->context, m);
		cut->bytes -= (int64_t)(m->content.size + m->data.size);
	}
	cut->bytes -= CUT_ENTRY_BYTES;
	cut->page->upto = m->id;
	cut->count++;
	return cut->bytes > 0;
}

/* If the read was not cut, it has reached the log's end. */
void log_cut_end(struct log_cut *cut)
{
	if (cut->bytes > 0 && cut->count < cut->limit)
		cut->page->upto = cut->page->end.newest;
}

/* ---- The log's tail ---- */

bool tail_cut_take(struct tail_cut *cut, int64_t id, int64_t size)
{
	cut->id = id - 1;
	cut->bytes -= size + CUT_ENTRY_BYTES;
	return cut->bytes > 0;
}

/* If the whole log fits, the tail begins with the log. */
int64_t tail_cut_end(const struct tail_cut *cut)
{
	return cut->bytes > 0 ? 0 : cut->id;
}

/* ---- Rooms that were changed ---- */

struct changes_cut changes_cut_begin(int64_t since, struct room_change *rooms,
                                     size_t most, struct log_end *end)
{
	return (struct changes_cut){
		.rooms = rooms,
		.most = most,
		.since = since,
		.upto = since,
		.end = end,
	};
}

struct room_state *changes_cut_take(struct changes_cut *cut, int64_t changed,
                                    bool edited, int64_t room_id,
                                    struct text room_name)
{
	struct room_change *change = &cut->rooms[cut->count];

	cut->seen++;
	cut->upto = changed;
	/* One without a name was never heard of. */
	if (!room_id_read(room_id, room_name, &change->room))
		return NULL;
	change->edited = edited;
	cut->count++;
	return &change->state;
}

void changes_cut_end(struct changes_cut *cut)
{
	if (cut->seen < cut->most)
		cut->upto = cut->end->changes;
}
