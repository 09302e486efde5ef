/* The rooms that a request names: one, several with commas between, or `*`, which is
 * every room (PROTOCOL section 2). Pure. */
#ifndef LONGROOM_ROOM_LIST_H
#define LONGROOM_ROOM_LIST_H

#include "codec/problem.h"
#include "codec/room_name.h"

/* Do not copy it: a list of one room points to itself, so that it needs no memory of
 * its own. {0} is an empty one. */
struct room_list {
	struct room_name *names; /* each once, in the order in which they were given */
	size_t count;
	bool is_all;     /* every room; count is 0 */
	bool is_several; /* more than one room, or all: the page has another form */
	struct room_name one; /* the storage of a single name */
};

/* Parses a segment of a path, still percent-encoded: 1 to `limit` names. A comma
 * separates them, encoded or not, since no name contains one. PROBLEM_NONE: the
 * caller releases the list. Any other problem: the list is empty. */
struct problem room_list_parse(struct text encoded, size_t limit,
                               struct room_list *list);
void room_list_release(struct room_list *list);

/* Adds names as JSON strings with commas between, without brackets. */
void room_list_render(const struct room_name *names, size_t count, struct buffer *b);

#endif
