/* Rate-limited warnings for events that others can cause at any time, so that they
 * cannot fill a disk with log lines: at most one line in COMPLAINT_QUIET_MS, with
 * the number of lines suppressed since the last one. One thread. */
#ifndef LONGROOM_COMPLAINT_H
#define LONGROOM_COMPLAINT_H

#include <stdint.h>

#include "base/text.h"

enum {
	COMPLAINT_QUIET_MS = 10000,
	COMPLAINT_NAMES = 16,
	COMPLAINT_NAME_MAX = 64, /* bytes */
};

/* {0}: nothing logged yet. */
struct complaint {
	int64_t quiet_until_ms; /* monotonic */
	int64_t left_out;       /* suppressed so far */
};

/* The same for an event that happens to many named things: at most one line in that
 * time for each name, and at most COMPLAINT_NAMES names. {0}: nothing logged yet. */
struct named_complaint {
	struct {
		int64_t quiet_until_ms; /* monotonic */
		size_t size;
		char name[COMPLAINT_NAME_MAX];
	} told[COMPLAINT_NAMES];
	int64_t left_out; /* of all names, so far */
};

/* Whether to log it now. If so, *left_out is the number suppressed since the last
 * time. */
bool complaint_is_due(struct complaint *complaint, int64_t *left_out);

/* The same for a name of at most COMPLAINT_NAME_MAX bytes. */
bool named_complaint_is_due(struct named_complaint *complaint, struct text name,
                            int64_t *left_out);

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
/* Logs a warning if it is due, with ": suppressed=N" at its end. */
void complaint_warn(struct complaint *complaint, const char *format, ...);

#endif
