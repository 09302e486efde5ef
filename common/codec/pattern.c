#include "codec/pattern.h"

#include "codec/room_name.h"

static size_t count_stars(const char *pattern)
{
	size_t count = 0;

	for (const char *at = pattern; *at != '\0'; at++)
		count += at[0] == '*' && at[1] != '*';
	return count;
}

enum pattern_fault pattern_check(const char *pattern)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz"
				      "0123456789._~-*?";
	size_t size = strspn(pattern, allowed);

	if (size == 0 || size > PATTERN_MAX || pattern[size] != '\0')
		return PATTERN_NO_NAME;
	return count_stars(pattern) > PATTERN_STARS_MAX ? PATTERN_TOO_STARRY
	                                                : PATTERN_GOOD;
}

enum pattern_fault pattern_list_check(const struct word_list *patterns)
{
	enum pattern_fault fault = PATTERN_GOOD;

	for (size_t i = 0; i < patterns->count && fault == PATTERN_GOOD; i++)
		fault = pattern_check(patterns->words[i]);
	return fault;
}

/* ---- Matching ---- */

/* A bit for each character of a name, the first one's is the lowest. */
typedef uint64_t places;

_Static_assert(ROOM_NAME_MAX <= 64, "a name's characters have a bit each");

struct places_of {
	places all, last;
	places each[128]; /* where a character stands */
};

/* A text that is not a room name has no places, and matches nothing. */
static void find_places(const char *name, struct places_of *of)
{
	size_t size = strlen(name);

	*of = (struct places_of){0};
	if (size == 0 || size > ROOM_NAME_MAX)
		return;
	of->last = UINT64_C(1) << (size - 1);
	of->all = of->last | (of->last - 1);
	for (size_t i = 0; i < size; i++)
		of->each[name[i] & 0x7f] |= UINT64_C(1) << i;
}

/* Follows all possible matches at once. `ends` are the characters of the name at
 * which the part of the pattern read so far may end; is_before says whether it may
 * end before the first character. Backtracking over stars, as in fnmatch(), would
 * take a thousand times as long for names that nearly match. */
static bool matches(const char *pattern, const struct places_of *of)
{
	bool is_before = true;
	places ends = 0;

	for (; *pattern != '\0' && (is_before || ends != 0); pattern++) {
		if (*pattern == '*') {
			/* From the first of them on. */
			ends = is_before ? of->all
			                 : -(ends & -ends) & of->all;
			continue;
		}
		ends = (ends << 1 | is_before) &
		       (*pattern == '?' ? of->all
		                        : of->each[*pattern & 0x7f]);
		is_before = false;
	}
	return (ends & of->last) != 0;
}

enum answer { NO, YES, MAYBE };

/* Handles the common cases by comparing bytes: most patterns are a plain name, or a
 * prefix with a star after it, and most names differ early. */
static enum answer compare(const char *pattern, const char *name)
{
	while (*pattern != '\0' && *pattern != '*' && *pattern != '?')
		if (*pattern++ != *name++)
			return NO;
	if (*pattern == '\0')
		return *name == '\0' ? YES : NO;
	return *pattern == '*' && pattern[1] == '\0' ? YES : MAYBE;
}

bool pattern_list_matches(const struct word_list *patterns, const char *name)
{
	struct places_of of;
	bool has_places = false;

	for (size_t i = 0; i < patterns->count; i++) {
		const char *pattern = patterns->words[i];
		enum answer answer = compare(pattern, name);

		if (answer == MAYBE && !has_places) {
			find_places(name, &of);
			has_places = true;
		}
		if (answer == YES || (answer == MAYBE && matches(pattern, &of)))
			return true;
	}
	return false;
}

bool pattern_list_matches_all(const struct word_list *patterns)
{
	for (size_t i = 0; i < patterns->count; i++) {
		const char *pattern = patterns->words[i];
		size_t stars = strspn(pattern, "*");

		if (stars > 0 && pattern[stars] == '\0')
			return true;
	}
	return false;
}
