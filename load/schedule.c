#define _GNU_SOURCE 1 /* clock_gettime */
#include "schedule.h"

#include <stdlib.h>

#include "clock.h"
#include "memory.h"

struct turn {
	uint32_t number;  /* of the room's last message, or of its first to come */
	uint32_t waiters; /* in the room */
	uint32_t lacking; /* how many of them do not have it yet */
	bool posted;
};

void schedule_init(struct schedule *schedule, uint32_t messages, uint32_t rooms,
                   double rate)
{
	*schedule = (struct schedule){
		.messages = messages,
		.rooms = rooms,
		.rate = rate,
	};
}

static void push_ready(struct schedule *schedule, uint32_t room)
{
	uint32_t at = (schedule->ready_first + schedule->ready_count++) %
	              schedule->rooms;

	schedule->ready[at] = room;
}

static uint32_t pop_ready(struct schedule *schedule)
{
	uint32_t room = schedule->ready[schedule->ready_first];

	schedule->ready_first = (schedule->ready_first + 1) % schedule->rooms;
	schedule->ready_count--;
	return room;
}

void schedule_close(struct schedule *schedule, uint32_t waiters)
{
	uint32_t rooms = schedule->rooms;

	schedule->turns = load_get(rooms, sizeof *schedule->turns);
	schedule->ready = load_get(rooms, sizeof *schedule->ready);
	for (uint32_t i = 0; i < rooms; i++) {
		schedule->turns[i].number = i;
		schedule->turns[i].waiters = waiters / rooms +
		                             (i < waiters % rooms);
		if (i < schedule->messages)
			push_ready(schedule, i);
	}
}

void schedule_release(struct schedule *schedule)
{
	free(schedule->turns);
	free(schedule->ready);
}

void schedule_start(struct schedule *schedule, int64_t now_ns)
{
	schedule->start_ns = now_ns;
}

int64_t schedule_due_ns(const struct schedule *schedule)
{
	if (schedule->taken == schedule->messages ||
	    (schedule->turns != NULL && schedule->ready_count == 0))
		return INT64_MAX;
	if (schedule->rate <= 0)
		return schedule->start_ns;
	return schedule->start_ns +
	       (int64_t)(schedule->taken / schedule->rate * NS_PER_S);
}

bool schedule_is_over(const struct schedule *schedule, int64_t now_ns)
{
	return schedule->taken == schedule->messages ||
	       (schedule->end_ns != 0 && now_ns >= schedule->end_ns);
}

static uint32_t next_number(struct schedule *schedule)
{
	if (schedule->turns == NULL)
		return schedule->taken;

	struct turn *turn = &schedule->turns[pop_ready(schedule)];

	turn->lacking = turn->waiters;
	turn->posted = false;
	return turn->number;
}

bool schedule_take(struct schedule *schedule, int64_t now_ns, uint32_t *number)
{
	int64_t due_ns = schedule_due_ns(schedule);

	if (due_ns > now_ns || schedule_is_over(schedule, now_ns))
		return false;
	if (schedule->rate > 0 && now_ns - due_ns > schedule->late_max_ns)
		schedule->late_max_ns = now_ns - due_ns;
	*number = next_number(schedule);
	schedule->taken++;
	return true;
}

static void finish_turn(struct schedule *schedule, struct turn *turn)
{
	/* So that late reports about the old number change nothing. */
	turn->number += schedule->rooms;
	turn->posted = false;
	if (turn->number < schedule->messages)
		push_ready(schedule, turn->number % schedule->rooms);
}

static struct turn *turn_of(struct schedule *schedule, uint32_t number)
{
	struct turn *turn = schedule->turns == NULL
	                            ? NULL
	                            : &schedule->turns[number % schedule->rooms];

	return turn != NULL && turn->number == number ? turn : NULL;
}

void schedule_posted(struct schedule *schedule, uint32_t number, bool accepted)
{
	struct turn *turn = turn_of(schedule, number);

	if (turn == NULL)
		return;
	turn->posted = true;
	if (turn->lacking == 0 || !accepted)
		finish_turn(schedule, turn);
}

void schedule_delivered(struct schedule *schedule, uint32_t number)
{
	struct turn *turn = turn_of(schedule, number);

	if (turn == NULL || turn->lacking == 0)
		return;
	turn->lacking--;
	if (turn->lacking == 0 && turn->posted)
		finish_turn(schedule, turn);
}
