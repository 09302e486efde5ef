#include "base/complaint.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/journal.h"

bool complaint_is_due(struct complaint *complaint, int64_t *left_out)
{
	int64_t now = clock_monotonic_ms();

	if (now < complaint->quiet_until_ms) {
		complaint->left_out++;
		return false;
	}
	*left_out = complaint->left_out;
	*complaint = (struct complaint){
		.quiet_until_ms = now + COMPLAINT_QUIET_MS,
	};
	return true;
}

void complaint_warn(struct complaint *complaint, const char *format, ...)
{
	int64_t left_out;
	char text[256];
	va_list arguments;

	if (!complaint_is_due(complaint, &left_out))
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	journal_warning("%s; not told since the last time: %" PRId64, text,
	                left_out);
}
