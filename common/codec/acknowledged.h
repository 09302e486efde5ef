/* The record of how far a log was acknowledged. It is kept in a file beside the
 * database; with it a writer detects that the database was replaced by a backup.
 * Pure.
 *
 * One line of ACKNOWLEDGED_SIZE bytes:
 *
 *     longroom 1 5f3a9c01 9be01d22 0000000000000000142 8c12d3f0
 *
 * These are the format's version, the log's first tag, the tag of its newest
 * incarnation, the highest id that was answered with 201, and a checksum of all that
 * precedes it. A line written in part, or by another version, is no record. A change
 * of format takes the next version. */
#ifndef LONGROOM_ACKNOWLEDGED_H
#define LONGROOM_ACKNOWLEDGED_H

#include "codec/incarnations.h"

enum { ACKNOWLEDGED_SIZE = 58 };

struct acknowledged {
	uint32_t first, newest; /* tags */
	int64_t id;
};

void acknowledged_render(const struct acknowledged *record,
                         char line[ACKNOWLEDGED_SIZE]);
bool acknowledged_parse(struct text line, struct acknowledged *record);

/* Whether the log with this first tag, these incarnations and this highest id has
 * all that was acknowledged. False if the record is of another log. */
bool acknowledged_is_in(const struct acknowledged *record, uint32_t first,
                        const struct incarnations *list, int64_t newest);

/* Whether the record `now`, of a log with these incarnations, should replace `was`:
 * never if `was` is further on. Incarnations may be NULL if `now` is of the newest
 * incarnation, which is certain only under the folder's lock. */
bool acknowledged_follows(const struct acknowledged *was,
                          const struct acknowledged *now,
                          const struct incarnations *list);

#endif
