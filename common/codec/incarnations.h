/* The incarnations of a log, and which cursors are still valid in it. Pure.
 *
 * A log restored from a backup assigns the ids that the backup lacks again. So each
 * time a new incarnation begins. It has a random tag, and the id at which it began:
 * the highest id assigned by then. The first tag, drawn when the log was created,
 * identifies the log. Cursors and frames carry the newest tag.
 *
 * A cursor is valid if its tag is in the list and its id is not above the beginning
 * of any later incarnation. Then the log still has everything that the client has
 * seen. Whether the cursor is ahead of the log's end is checked elsewhere
 * (store.h). */
#ifndef LONGROOM_INCARNATIONS_H
#define LONGROOM_INCARNATIONS_H

#include "codec/cursor.h"

/* Beyond this number the oldest are dropped, and their cursors get "reset". */
enum { INCARNATIONS_MAX = 1000 };

struct incarnation {
	uint32_t tag;
	int64_t began; /* an id; 0 for the first */
};

/* Oldest first. {0} is an empty one. */
struct incarnations {
	struct incarnation *entries;
	size_t count, room;
};

void incarnations_release(struct incarnations *list);
void incarnations_clear(struct incarnations *list);
void incarnations_add(struct incarnations *list, uint32_t tag, int64_t began);
/* Replaces the list *to by a copy. */
void incarnations_copy(struct incarnations *to, const struct incarnations *from);

/* Whether the newest incarnation has this tag. */
bool incarnations_end_with(const struct incarnations *list, uint32_t tag);

enum standing {
	STANDING_GOOD,
	STANDING_PASSED,  /* a later incarnation began below its id */
	STANDING_UNKNOWN, /* its tag is not in the list */
};

/* A cursor that is an id alone names no log, and counts as valid. */
enum standing incarnations_judge(const struct incarnations *list,
                                 const struct cursor *cursor);

#endif
