#include "base/complaint.h"

#include <assert.h>
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

/* Returns a place for a name that may be logged now; COMPLAINT_NAMES: it may not. */
static size_t place_to_tell(const struct named_complaint *complaint,
                            struct text name, int64_t now_ms)
{
	size_t place = COMPLAINT_NAMES;

	for (size_t i = 0; i < COMPLAINT_NAMES; i++) {
		struct text told = {complaint->told[i].name,
		                    complaint->told[i].size};

		if (complaint->told[i].quiet_until_ms <= now_ms)
			place = i;
		else if (text_equal(told, name))
			return COMPLAINT_NAMES;
	}
	return place;
}

bool named_complaint_is_due(struct named_complaint *complaint, struct text name,
                            int64_t *left_out)
{
	int64_t now_ms = clock_monotonic_ms();
	size_t place = place_to_tell(complaint, name, now_ms);

	assert(name.size <= COMPLAINT_NAME_MAX);
	if (place == COMPLAINT_NAMES) {
		complaint->left_out++;
		return false;
	}
	complaint->told[place].quiet_until_ms = now_ms + COMPLAINT_QUIET_MS;
	complaint->told[place].size = name.size;
	memcpy(complaint->told[place].name, name.data, name.size);
	*left_out = complaint->left_out;
	complaint->left_out = 0;
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
	journal_warning("%s: suppressed=%" PRId64, text, left_out);
}
