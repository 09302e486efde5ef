#include "loop/deadlines.h"

void deadlines_init(struct deadlines *deadlines, int64_t now_ms)
{
	for (size_t i = 0; i < DEADLINES_SLOTS; i++)
		list_init(&deadlines->slots[i]);
	list_init(&deadlines->due);
	deadlines->tick = now_ms / DEADLINES_TICK_MS;
}

void deadline_init(struct deadline *deadline)
{
	*deadline = (struct deadline){0};
	list_init(&deadline->link);
}

void deadline_set(struct deadlines *deadlines, struct deadline *deadline,
                  int64_t due_ms)
{
	/* The first tick at which it is due. */
	int64_t tick = (due_ms + DEADLINES_TICK_MS - 1) / DEADLINES_TICK_MS;
	int64_t next = deadlines->tick + 1;

	deadline->due_ms = due_ms;
	if (!list_is_empty(&deadline->link) && deadline->slot_tick <= tick)
		return;
	if (tick < next)
		tick = next;
	if (tick >= next + DEADLINES_SLOTS)
		tick = next + DEADLINES_SLOTS - 1;
	deadline->slot_tick = tick;
	list_append(&deadlines->slots[tick % DEADLINES_SLOTS], &deadline->link);
}

void deadline_clear(struct deadline *deadline)
{
	list_remove(&deadline->link);
}

static void collect_due(struct deadlines *deadlines, int64_t now_ms)
{
	while (deadlines->tick < now_ms / DEADLINES_TICK_MS) {
		deadlines->tick++;
		list_append_all(
			&deadlines->due,
			&deadlines->slots[deadlines->tick % DEADLINES_SLOTS]);
	}
}

bool deadlines_turn(struct deadlines *deadlines, int64_t now_ms, int most,
                    void (*expire)(struct deadline *deadline))
{
	collect_due(deadlines, now_ms);
	while (!list_is_empty(&deadlines->due) && most > 0) {
		struct deadline *deadline = LIST_OWNER(deadlines->due.next,
		                                       struct deadline, link);

		/* Take it out of the list in any case. */
		list_remove(&deadline->link);
		if (deadline->due_ms > now_ms) {
			deadline_set(deadlines, deadline, deadline->due_ms);
			continue;
		}
		expire(deadline);
		most--;
	}
	return !list_is_empty(&deadlines->due);
}
