/* Patterns for names of rooms: their characters, * for any number of characters
 * and ? for one. Pure.
 *
 * What a pattern may be is bounded, and so is a list, as lists are compared for
 * every request: PROTOCOL section 12. A comparison takes at most one step for
 * each byte of the pattern, however many stars it has. */
#ifndef LONGROOM_PATTERN_H
#define LONGROOM_PATTERN_H

#include "base/word_list.h"

enum {
	PATTERN_MAX = 64,       /* bytes: as the longest name of a room */
	PATTERN_STARS_MAX = 8,  /* those side by side are one */
	PATTERN_LIST_MAX = 256, /* in a list that a user has */
};

enum pattern_fault {
	PATTERN_GOOD,
	PATTERN_NO_NAME,   /* it can match no room's name */
	PATTERN_TOO_STARRY /* more than PATTERN_STARS_MAX */
};

enum pattern_fault pattern_check(const char *pattern);

/* The first fault among them, or else PATTERN_GOOD. */
enum pattern_fault pattern_list_check(const struct word_list *patterns);

/* Whether one of the patterns matches the name of a room. */
bool pattern_list_matches(const struct word_list *patterns, const char *name);

#endif
