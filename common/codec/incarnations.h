/* The incarnations of a log, and which cursors they leave good. Pure.
 *
 * A log that was restored from a backup gives out again the ids that the backup
 * lacks. So each life of it has a tag, drawn at random, and the id at which it
 * began: the highest that the log had given out by then. The first tag is the
 * log's identity, drawn when it was created. Cursors and frames name the newest.
 *
 * A cursor is good if its tag is in the list and its id is not above the
 * beginning of any incarnation behind: what it has seen is what the log still
 * has. Where the log ends is another question (store.h). */
#ifndef LONGROOM_INCARNATIONS_H
#define LONGROOM_INCARNATIONS_H

#include "codec/cursor.h"

/* The oldest are forgotten beyond it, and their cursors then reset. */
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
/* Takes a list of its own into *to, whatever that had. */
void incarnations_copy(struct incarnations *to, const struct incarnations *from);

/* Whether the newest is the one with this tag. */
bool incarnations_end_with(const struct incarnations *list, uint32_t tag);

enum standing {
	STANDING_GOOD,
	STANDING_PASSED,  /* a later incarnation began below its id */
	STANDING_UNKNOWN, /* its tag is not in the list */
};

/* An id alone says nothing about its log, and is good. */
enum standing incarnations_judge(const struct incarnations *list,
                                 const struct cursor *cursor);

#endif
