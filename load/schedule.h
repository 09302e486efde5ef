/* The schedule of messages. Message n goes to room n % rooms. Pure.
 *
 * Open: one after another, by the clock if there is a rate, otherwise as soon as a
 * sender is free. Closed: a room's next message waits until all of the room's
 * waiters have the last one. */
#ifndef LONGROOM_LOAD_SCHEDULE_H
#define LONGROOM_LOAD_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

struct turn; /* a room's, in a closed schedule */

struct schedule {
	uint32_t messages, rooms;
	double rate;    /* 0: no clock */
	int64_t end_ns; /* nothing is sent after that; 0: no end */
	int64_t start_ns;
	uint32_t taken;
	int64_t late_max_ns; /* the furthest behind the clock */

	struct turn *turns; /* NULL: open */
	uint32_t *ready;    /* a ring of the rooms whose turn has come */
	uint32_t ready_first, ready_count;
};

void schedule_init(struct schedule *schedule, uint32_t messages, uint32_t rooms,
                   double rate);
/* Makes it closed. */
void schedule_close(struct schedule *schedule, uint32_t waiters);
void schedule_release(struct schedule *schedule);

void schedule_start(struct schedule *schedule, int64_t now_ns);

/* False: no message may be sent now. */
bool schedule_take(struct schedule *schedule, int64_t now_ns, uint32_t *number);

/* No message is left to send. */
bool schedule_is_over(const struct schedule *schedule, int64_t now_ns);

/* Returns when the next message may be sent; INT64_MAX: not before another event. */
int64_t schedule_due_ns(const struct schedule *schedule);

/* A POST is done; accepted: its message is on its way to the waiters. */
void schedule_posted(struct schedule *schedule, uint32_t number, bool accepted);

/* One more waiter has received it. */
void schedule_delivered(struct schedule *schedule, uint32_t number);

#endif
