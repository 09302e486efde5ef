/* Deadlines: a timing wheel with one slot a tick.
 *
 * Most deadlines are postponed again and again and rarely come. So postponing one
 * only stores the new time. The deadline stays in its slot, and moves on when the
 * wheel reaches it. */
#ifndef LONGROOM_DEADLINES_H
#define LONGROOM_DEADLINES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

enum {
	DEADLINES_TICK_MS = 100,
	DEADLINES_SLOTS = 1024, /* what is farther away goes round again */
};

struct deadline {
	struct list link;  /* in a slot */
	int64_t due_ms;    /* monotonic */
	int64_t slot_tick; /* when the wheel comes by; not after due_ms */
};

struct deadlines {
	struct list slots[DEADLINES_SLOTS];
	int64_t tick; /* up to which the wheel has come */
	struct list due; /* of past ticks, to be looked at */
};

void deadlines_init(struct deadlines *deadlines, int64_t now_ms);

/* One that is not set. */
void deadline_init(struct deadline *deadline);
void deadline_set(struct deadlines *deadlines, struct deadline *deadline,
                  int64_t due_ms);
void deadline_clear(struct deadline *deadline);

/* Calls expire() for each deadline that is due, at most a tick late, but for no more
 * than `most`. expire() sets the deadline again or clears it. True: there are more;
 * call this again soon. */
bool deadlines_turn(struct deadlines *deadlines, int64_t now_ms, int most,
                    void (*expire)(struct deadline *deadline));

#endif
