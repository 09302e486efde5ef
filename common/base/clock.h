/* Two clocks: the wall's for people, the monotonic one for every deadline. */
#ifndef LONGROOM_CLOCK_H
#define LONGROOM_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

enum { CLOCK_TEXT_SIZE = sizeof "9999-12-31T23:59:59.999Z" + 16 };

/* Milliseconds, or microseconds, since an unspecified start; never step back. */
int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_us(void);

/* Milliseconds since 1970-01-01 UTC. */
int64_t clock_wall_ms(void);

/* One moment by both clocks. A deadline of the wall clock has come when either clock
 * reaches it, since the wall clock may be set back. */
struct moment {
	int64_t steady_ms; /* monotonic */
	int64_t wall_ms;
};

static const struct moment moment_never = {INT64_MAX, INT64_MAX};

struct moment clock_now(void);

/* The moment at which the wall clock will show this, unless it is set before. */
static inline struct moment moment_of(int64_t wall_ms, const struct moment *now)
{
	return (struct moment){now->steady_ms + wall_ms - now->wall_ms, wall_ms};
}

/* Whether the moment has come, by either clock. */
static inline bool moment_has_come(const struct moment *moment,
                                   const struct moment *now)
{
	return moment->steady_ms <= now->steady_ms ||
	       moment->wall_ms <= now->wall_ms;
}

/* Writes ms since 1970 as RFC 3339 in UTC: "2026-11-22T06:02:00.123Z". Times
 * outside the years 1000 to 9999 are clamped. */
void clock_text(int64_t wall_ms, char text[static CLOCK_TEXT_SIZE]);

#endif
