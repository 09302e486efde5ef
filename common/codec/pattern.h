/* Patterns for room names: the characters of names, * for any number of characters
 * and ? for one. Pure.
 *
 * Patterns and lists have limits (PROTOCOL section 12), since they are matched for
 * every request. A match takes at most one step for each byte of the pattern,
 * however many stars it has. */
#ifndef LONGROOM_PATTERN_H
#define LONGROOM_PATTERN_H

#include "base/word_list.h"

enum {
	PATTERN_MAX = 64,       /* bytes: as the longest name of a room */
	PATTERN_STARS_MAX = 8,  /* adjacent ones count as one */
	PATTERN_LIST_MAX = 256, /* in a user's list */
};

enum pattern_fault {
	PATTERN_GOOD,
	PATTERN_NO_NAME,   /* it cannot match any room name */
	PATTERN_TOO_STARRY /* more than PATTERN_STARS_MAX */
};

enum pattern_fault pattern_check(const char *pattern);

/* Returns the first fault in the list; PATTERN_GOOD: none. */
enum pattern_fault pattern_list_check(const struct word_list *patterns);

/* Whether one of the patterns matches the name of a room. */
bool pattern_list_matches(const struct word_list *patterns, const char *name);

/* Whether one of the patterns matches every name: it has nothing but stars. */
bool pattern_list_matches_all(const struct word_list *patterns);

#endif
