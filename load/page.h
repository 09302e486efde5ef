/* Reads the JSON of Longroom's answers: a page of messages, one message, or a problem.
 * Pure.
 *
 * A small reader for this purpose: strict about JSON's structure, members in any
 * order, unknown ones skipped. Texts point into the JSON, with their escapes. */
#ifndef LONGROOM_LOAD_PAGE_H
#define LONGROOM_LOAD_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

struct item {
	int64_t id; /* 0: null, it is in no log */
	bool unsaved;
	struct text room;
	struct text content;
};

struct page {
	struct text room; /* absent in a page of several rooms */
	struct text cursor;
	bool more, gap, reset;
	int64_t retry_ms; /* 0: none */
	size_t count;
	struct item *items;
	size_t items_room; /* allocated; kept from page to page */
};

/* {0} is an empty page. False: this is not a valid page, and its content is
 * unspecified. A page needs a cursor that is safe in a URL, and a "count" equal to
 * its number of messages. */
bool page_parse(struct page *page, struct text json);

/* Reads messages alone, one a line. Sets neither room nor cursor. */
bool page_parse_lines(struct page *page, struct text lines);

/* Empties the page, and adds to it. False: this is not a message, and nothing was
 * added. */
void page_clear(struct page *page);
bool page_add(struct page *page, struct text json);

void page_release(struct page *page);

bool item_parse(struct item *item, struct text json);

/* The status of a problem; 0 if this is none. */
int problem_parse(struct text json);

#endif
