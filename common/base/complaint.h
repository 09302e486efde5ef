/* What the operator is told of something that happens over and over: once in
 * COMPLAINT_QUIET_MS, with how often it was not told since. What others can cause
 * is never to fill a disk. One thread. */
#ifndef LONGROOM_COMPLAINT_H
#define LONGROOM_COMPLAINT_H

#include <stdint.h>

#include "base/text.h"

enum {
	COMPLAINT_QUIET_MS = 10000,
	COMPLAINT_NAMES = 16,
	COMPLAINT_NAME_MAX = 64, /* bytes */
};

/* {0}: not told yet. */
struct complaint {
	int64_t quiet_until_ms; /* monotonic */
	int64_t left_out;       /* before that, so far */
};

/* The same for something that happens to many things with names: once in that time
 * for each of them, and for COMPLAINT_NAMES of them at the most. {0}: not told
 * yet. */
struct named_complaint {
	struct {
		int64_t quiet_until_ms; /* monotonic */
		size_t size;
		char name[COMPLAINT_NAME_MAX];
	} told[COMPLAINT_NAMES];
	int64_t left_out; /* of all names, so far */
};

/* Whether it is to be told now; then *left_out is how often it was not. */
bool complaint_is_due(struct complaint *complaint, int64_t *left_out);

/* The same, of a name of at most COMPLAINT_NAME_MAX bytes. */
bool named_complaint_is_due(struct named_complaint *complaint, struct text name,
                            int64_t *left_out);

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
/* Tells it, as a warning, if it is due. */
void complaint_warn(struct complaint *complaint, const char *format, ...);

#endif
