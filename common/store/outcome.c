#include "store/outcome.h"

#include <stdio.h>

void outcome_refused(struct append *append, const char *why)
{
	append->message->id = 0;
	append->outcome = APPEND_REFUSED;
	snprintf(append->why, sizeof append->why, "%s", why);
}

int64_t outcome_highest(const struct append *appends, size_t count)
{
	int64_t highest = 0;

	for (size_t i = 0; i < count; i++)
		if (appends[i].outcome == APPEND_SAVED)
			highest = appends[i].message->id;
	return highest;
}
