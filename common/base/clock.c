#include "base/clock.h"

#include <string.h>
#include <time.h>

enum {
	DAY_MS = 24 * 60 * 60 * 1000,
	DATE_SIZE = sizeof "2026-11-22T" - 1,
};

#define FIRST_MS (-30610224000000) /* 1000-01-01T00:00:00Z */
#define LAST_MS 253402300799999    /* 9999-12-31T23:59:59.999Z */

static int64_t read_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_monotonic_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

int64_t clock_monotonic_ms(void)
{
	return read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_wall_ms(void)
{
	return read_us(CLOCK_REALTIME) / 1000;
}

struct moment clock_now(void)
{
	return (struct moment){clock_monotonic_ms(), clock_wall_ms()};
}

/* "2026-11-22T" for the second at which a day begins. The last day is remembered:
 * the C library takes a lock, and the day is nearly always the same. */
static void put_date(int64_t day, char text[static DATE_SIZE])
{
	static _Thread_local char date[DATE_SIZE + 1];
	static _Thread_local int64_t date_of = -1;
	time_t seconds = (time_t)day;
	struct tm utc;

	if (day != date_of) {
		gmtime_r(&seconds, &utc);
		strftime(date, sizeof date, "%Y-%m-%dT", &utc);
		date_of = day;
	}
	memcpy(text, date, DATE_SIZE);
}

static void put_digits(char *text, int digits, int number, char behind)
{
	text[digits] = behind;
	while (digits-- > 0) {
		text[digits] = (char)('0' + number % 10);
		number /= 10;
	}
}

void clock_text(int64_t wall_ms, char text[static CLOCK_TEXT_SIZE])
{
	if (wall_ms < FIRST_MS)
		wall_ms = FIRST_MS;
	if (wall_ms > LAST_MS)
		wall_ms = LAST_MS;

	int64_t ms = wall_ms % DAY_MS;
	if (ms < 0)
		ms += DAY_MS;
	int seconds = (int)(ms / 1000);

	put_date((wall_ms - ms) / 1000, text);
	put_digits(text + 11, 2, seconds / 3600, ':');
	put_digits(text + 14, 2, seconds / 60 % 60, ':');
	put_digits(text + 17, 2, seconds % 60, '.');
	put_digits(text + 20, 3, (int)(ms % 1000), 'Z');
	text[24] = '\0';
}
