/* Lines for the operator about single rooms, which a room whose every message
 * fails would fill the log with: one a room in ten seconds, of 16 rooms. What is
 * not told is counted. Belongs to one thread. */
#ifndef LONGROOM_COMPLAINTS_H
#define LONGROOM_COMPLAINTS_H

#include <stdbool.h>
#include <stdint.h>

#include "codec/room_name.h"

enum { COMPLAINTS_ROOMS = 16, COMPLAINTS_QUIET_MS = 10000 };

struct complaints {
	struct {
		struct room_name room;
		int64_t quiet_until_ms; /* monotonic */
	} told[COMPLAINTS_ROOMS];
	int64_t untold;
};

/* Whether to write a line about this room now. *untold is the number of those
 * that were not written since the last. */
bool complaints_may_tell(struct complaints *complaints,
                         const struct room_name *room, int64_t now_ms,
                         int64_t *untold);

#endif
