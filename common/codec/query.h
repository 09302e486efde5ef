/* Reads the parameters that history and poll have in common from a query. Pure.
 *
 * An absent parameter leaves its value unchanged. PROBLEM_NONE: all is well. */
#ifndef LONGROOM_QUERY_H
#define LONGROOM_QUERY_H

#include "codec/cursor.h"
#include "codec/problem.h"

/* A number from least to most. `rule` is the detail of the problem otherwise. */
struct problem query_number(struct text query, const char *name, int64_t least,
                            int64_t most, const char *rule, int64_t *number);

enum query_given {
	QUERY_ABSENT,
	QUERY_CURSOR,
	QUERY_NOW, /* the word `now` */
};

/* A cursor, an id, or, if now_is_allowed, `now`. */
struct problem query_cursor(struct text query, const char *name,
                            bool now_is_allowed, struct cursor *cursor,
                            enum query_given *given);

#endif
