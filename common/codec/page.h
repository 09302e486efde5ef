/* A page of messages as JSON (PROTOCOL section 5), the answer of both history and
 * poll. Pure. Call page_begin, then page_separate before each message, then
 * page_end:
 *
 *     {"room_id":"room_26","count":2,"messages":[...],"cursor":"...",
 *      "earliest":12,"more":false}
 *
 * A page of several rooms has neither "room_id" nor "earliest", so that pages of the
 * same messages are the same whatever else their readers follow:
 *
 *     {"count":2,"messages":[...],"cursor":"...","more":false,
 *      "gap":true,"gap_rooms":["team_red"],"forbidden":["team_blue"]}
 *
 * The count stands before the messages but is known only after them: page_end
 * inserts it. */
#ifndef LONGROOM_PAGE_H
#define LONGROOM_PAGE_H

#include "codec/cursor.h"
#include "codec/room_name.h"

enum {
	PAGE_DEFAULT = 10,        /* messages */
	PAGE_MAX = 1000,          /* messages */
	PAGE_MAX_BYTES = 1 << 20, /* a page ends after passing it */
};

struct page {
	struct buffer *buffer;
	size_t count_at; /* where the count goes */
	int64_t count;
	bool is_of_several;
};

struct page_end {
	struct cursor cursor;
	int64_t earliest; /* of one room; 0: it has no message */
	bool more;
	bool gap;
	bool reset;
	bool ephemeral;   /* one room, the messages of which are never stored */
	int64_t retry_ms; /* how long to wait before asking again; 0: not at all */
	/* Of several rooms, names as room_list_render() adds them; empty: none. */
	struct text gap_rooms, forbidden;
};

/* NULL: of several rooms. */
void page_begin(struct page *page, struct buffer *buffer,
                const struct room_name *room);
/* Counts the next message, which the caller adds to page->buffer. */
void page_separate(struct page *page);
/* In place of that: all messages, rendered with commas between. */
void page_add_all(struct page *page, struct text messages, int64_t count);
void page_end(struct page *page, const struct page_end *end);

#endif
