#include "pattern.h"

#include <fnmatch.h>

bool pattern_check(const char *pattern)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz"
				      "0123456789._~-*?";

	return pattern[0] != '\0' && pattern[strspn(pattern, allowed)] == '\0';
}

bool pattern_list_matches(const struct word_list *patterns, const char *name)
{
	for (size_t i = 0; i < patterns->count; i++)
		if (fnmatch(patterns->words[i], name, 0) == 0)
			return true;
	return false;
}
