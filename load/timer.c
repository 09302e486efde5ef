#define _GNU_SOURCE 1 /* clock_gettime */
#include "timer.h"

#include <stddef.h>
#include <string.h>

void timer_wheel_init(struct timer_wheel *wheel, int64_t now_ns,
                      void (*fire)(struct timer *))
{
	memset(wheel, 0, sizeof *wheel);
	wheel->tick = now_ns / TIMER_TICK_NS;
	wheel->fire = fire;
}

void timer_wheel_advance(struct timer_wheel *wheel, int64_t now_ns)
{
	int64_t last = now_ns / TIMER_TICK_NS;

	/* After a long pause one round finds all timers. */
	if (last > wheel->tick + TIMER_SLOTS)
		wheel->tick = last - TIMER_SLOTS;
	while (wheel->tick < last) {
		struct timer **slot = &wheel->slots[++wheel->tick % TIMER_SLOTS];

		while (*slot != NULL) {
			struct timer *timer = *slot;

			timer_clear(timer);
			wheel->fire(timer);
		}
	}
}

void timer_set(struct timer_wheel *wheel, struct timer *timer, int64_t due_ns)
{
	int64_t tick = due_ns / TIMER_TICK_NS + 1;

	/* Never into the slot that is being emptied, nor past it. */
	if (tick <= wheel->tick)
		tick = wheel->tick + 1;
	if (tick >= wheel->tick + TIMER_SLOTS)
		tick = wheel->tick + TIMER_SLOTS - 1;

	timer_clear(timer);
	timer->link = &wheel->slots[tick % TIMER_SLOTS];
	timer->next = *timer->link;
	if (timer->next != NULL)
		timer->next->link = &timer->next;
	*timer->link = timer;
}

void timer_clear(struct timer *timer)
{
	if (timer->link == NULL)
		return;
	*timer->link = timer->next;
	if (timer->next != NULL)
		timer->next->link = timer->link;
	timer->next = NULL;
	timer->link = NULL;
}
