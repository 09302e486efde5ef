/* Decides where a read of the log ends, and fills in its result: the rules shared by
 * all back-ends. store.c begins and ends a cut. In between, the back-end passes it
 * the rows, in the order given below, until a `take` function returns false; then no
 * row must follow. The back-end handles errors of the read.
 *
 * A row counts with about the bytes of its content and data, and CUT_ENTRY_BYTES: in
 * a page with those that they take as JSON, in the log with their own. The row that
 * reaches the limit of bytes is the last one, so a read gives at least one row. Rows
 * that can't be given to a client (foreign.h) are skipped here, but count towards a
 * limit of rows. */
#ifndef LONGROOM_CUT_H
#define LONGROOM_CUT_H

#include "store/log.h"

enum { CUT_ENTRY_BYTES = 128 };

/* The rows of a page: which are visited, and how many are taken. */
struct row_cut {
	store_visit *visit;
	void *context;
	int64_t limit; /* rows */
	int64_t bytes; /* 0: no limit */
	int64_t count, size; /* so far: rows, bytes */
};

/* ---- A page of a room ----
 *
 * The back-end sets page->end, and page->state if the room is there. If not, that is
 * all. Then, with range->direction STORE_NEWEST or STORE_BEFORE:
 *
 *   1. if page_cut_is_measured(): contents and data, from the end of the range
 *      backwards, to page_cut_measure(), at most rows.limit of them;
 *   2. the last rows of the range, rows.limit as that is then, oldest first, to
 *      page_cut_take().
 *
 * With STORE_AFTER:
 *
 *   1. the first rows behind range->id, rows.limit + 1, to page_cut_take();
 *   2. if page_cut_needs_hole(): page->removed. */

struct page_cut {
	const struct store_range *range;
	struct store_page *page;
	struct row_cut rows;
	int64_t measured; /* rows */
};

/* Borrows all. */
struct page_cut page_cut_begin(const struct store_range *range, store_visit *visit,
                               void *context, struct store_page *page);

bool page_cut_is_measured(const struct page_cut *cut);
bool page_cut_measure(struct page_cut *cut, struct text content,
                      struct text data);
bool page_cut_take(struct page_cut *cut, const struct message *m);
/* True: the back-end must set page->removed to the highest id up to *upto that was
 * removed from the room. False: it is already known. */
bool page_cut_needs_hole(struct page_cut *cut, int64_t *upto);

void page_cut_end(struct page_cut *cut);

/* ---- Several rooms ----
 *
 * The back-end sets page->end and page->states. It hands in their rows
 * behind page->upto, up to page->end.newest, in the order of the log, and looks at
 * no more rows than that takes. */

struct rooms_cut {
	struct rooms_page *page;
	struct row_cut rows;
};

/* Borrows the page. */
struct rooms_cut rooms_cut_begin(const struct store_range *range,
                                 store_visit *visit, void *context,
                                 struct rooms_page *page);

bool rooms_cut_take(struct rooms_cut *cut, const struct message *m);

void rooms_cut_end(struct rooms_cut *cut);

/* ---- All rooms ----
 *
 * The back-end sets rooms.page->end, and gaps->pruned: the highest id up to the log's end
 * that was removed from any room. Then as for several rooms, but the ids that were
 * removed are handed in too, among the rows in the order of ids, and before the row
 * that has the same id: SQL may move messages to other rooms. They count as rows. */

struct all_cut {
	struct rooms_cut rooms;
	struct rooms_gaps *gaps;
};

/* The rooms are given as in log_cut_take(). */
bool all_cut_take(struct all_cut *cut, struct message *m, int64_t room_id,
                  struct text room_name);
/* `is_highest`: no higher id, up to the log's end, was removed from this room. */
bool all_cut_take_removed(struct all_cut *cut, int64_t id, bool is_highest,
                          int64_t room_id, struct text room_name);

/* ---- The log ----
 *
 * The back-end sets page->end and hands in the rows behind an id, of all rooms, at
 * most `limit`. */

struct log_cut {
	store_visit *visit;
	void *context;
	struct log_page *page;
	int64_t limit; /* rows */
	int64_t bytes; /* ... and what they may still take */
	int64_t count;
};

/* Borrows all. */
struct log_cut log_cut_begin(int64_t id, int64_t limit, int64_t bytes,
                             store_visit *visit, void *context,
                             struct log_page *page);

/* *m has everything but the room, which is given by its number and name, as for
 * room_id_read(). */
bool log_cut_take(struct log_cut *cut, struct message *m, int64_t room_id,
                  struct text room_name);

void log_cut_end(struct log_cut *cut);

/* ---- The log's tail ----
 *
 * The back-end hands in what it has of all rooms, from the end backwards: the id and
 * the size of a row's texts. */

struct tail_cut {
	int64_t bytes;
	int64_t id; /* the tail begins after it */
};

bool tail_cut_take(struct tail_cut *cut, int64_t id, int64_t size);
int64_t tail_cut_end(const struct tail_cut *cut);

/* ---- Rooms that were changed ----
 *
 * The back-end sets *end and hands in the rooms in the order of their last changes,
 * from the first behind `since`, at most `most`. */

struct changes_cut {
	struct room_change *rooms;
	size_t most, count, seen;
	int64_t since, upto;
	struct log_end *end;
};

/* Borrows all. */
struct changes_cut changes_cut_begin(int64_t since, struct room_change *rooms,
                                     size_t most, struct log_end *end);

/* Returns where to store the room's state; NULL: nowhere, the room is skipped. */
struct room_state *changes_cut_take(struct changes_cut *cut, int64_t changed,
                                    bool edited, int64_t room_id,
                                    struct text room_name);
void changes_cut_end(struct changes_cut *cut);

#endif
