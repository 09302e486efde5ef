#include "hub/awaited.h"

#include "base/clock.h"

void awaited_miss(struct awaited *awaited)
{
	if (awaited->since_ms == 0)
		awaited->since_ms = clock_monotonic_ms();
}

/* Whether it has been missing for that long, and this was not logged yet. */
static bool is_news(const struct awaited *awaited, int64_t after_ms, bool *is_said)
{
	if (*is_said || clock_monotonic_ms() - awaited->since_ms < after_ms)
		return false;
	*is_said = true;
	return true;
}

bool awaited_may_tell(struct awaited *awaited, int64_t after_ms)
{
	return is_news(awaited, after_ms, &awaited->is_told);
}

bool awaited_may_warn(struct awaited *awaited)
{
	return is_news(awaited, AWAITED_PATIENCE_MS, &awaited->is_warned_of);
}

bool awaited_came(struct awaited *awaited)
{
	bool was_told = awaited->is_told || awaited->is_warned_of;

	*awaited = (struct awaited){0};
	return was_told;
}
