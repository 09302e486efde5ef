/* Two clocks: the wall's for people, the monotonic one for every deadline. */
#ifndef LONGROOM_CLOCK_H
#define LONGROOM_CLOCK_H

#include <stdint.h>

enum { CLOCK_TEXT_SIZE = sizeof "9999-12-31T23:59:59.999Z" + 16 };

/* Milliseconds, or microseconds, since an unspecified start; never step back. */
int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_us(void);

/* Milliseconds since 1970-01-01 UTC. */
int64_t clock_wall_ms(void);

/* Writes ms since 1970 as RFC 3339 in UTC: "2026-11-22T06:02:00.123Z". Times
 * outside the years 1000 to 9999 are clamped. */
void clock_text(int64_t wall_ms, char text[static CLOCK_TEXT_SIZE]);

#endif
