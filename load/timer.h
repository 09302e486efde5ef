/* Deadlines for tens of thousands of connections: a timing wheel.
 *
 * Setting and clearing take a few stores, however many timers there are, unlike with
 * a heap: every poll sets a timer and every answer clears it. The price is
 * precision: a timer fires up to two ticks late, never early. A timer beyond the
 * wheel's range fires after one full turn. */
#ifndef LONGROOM_LOAD_TIMER_H
#define LONGROOM_LOAD_TIMER_H

#include <stdint.h>

#include "clock.h"

#define TIMER_TICK_NS (16 * NS_PER_MS)
enum { TIMER_SLOTS = 4096 }; /* 65 s: more than the longest poll and its grace */

/* {0} is a timer that is not set. It must not move while it is set. */
struct timer {
	struct timer *next;
	struct timer **link; /* what points here; NULL: not set */
};

struct timer_wheel {
	struct timer *slots[TIMER_SLOTS];
	int64_t tick; /* all before and with it have fired */
	void (*fire)(struct timer *);
};

/* `fire` is called with a timer that is no longer set; it may set any timer. */
void timer_wheel_init(struct timer_wheel *wheel, int64_t now_ns,
                      void (*fire)(struct timer *));

void timer_wheel_advance(struct timer_wheel *wheel, int64_t now_ns);

/* Sets it, or moves it if it is set. */
void timer_set(struct timer_wheel *wheel, struct timer *timer, int64_t due_ns);

void timer_clear(struct timer *timer);

#endif
