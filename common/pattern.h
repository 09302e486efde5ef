/* Patterns for names of rooms: their characters, * for any number of characters
 * and ? for one. Pure. */
#ifndef LONGROOM_PATTERN_H
#define LONGROOM_PATTERN_H

#include "settings.h"

/* Whether a pattern has only characters that patterns may have. */
bool pattern_check(const char *pattern);

/* Whether one of the patterns matches the name. */
bool pattern_list_matches(const struct word_list *patterns, const char *name);

#endif
