#include "ledger.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

void ledger_init(struct ledger *ledger, uint32_t rooms, uint32_t followers)
{
	ledger->rooms = rooms;
	ledger->followers_count = followers;
	ledger->logs = load_get(rooms, sizeof *ledger->logs);
	ledger->followers = load_get(followers, sizeof *ledger->followers);
}

void ledger_release(struct ledger *ledger)
{
	for (uint32_t i = 0; i < ledger->rooms; i++)
		free(ledger->logs[i].entries);
	for (uint32_t i = 0; i < ledger->followers_count; i++)
		free(ledger->followers[i].missed);
	free(ledger->logs);
	free(ledger->followers);
}

void ledger_join(struct ledger *ledger, uint32_t follower, int64_t last_id)
{
	ledger->followers[follower].active = true;
	ledger->followers[follower].last_id = last_id;
}

static bool is_power_of_two(uint32_t number)
{
	return (number & (number - 1)) == 0;
}

static void follower_miss(struct follower *f, int64_t id)
{
	/* It is full at every power of two. */
	if (is_power_of_two(f->missed_count))
		f->missed = load_resize(f->missed, sizeof *f->missed *
		                        (f->missed_count > 0
		                                 ? 2 * (size_t)f->missed_count
		                                 : 1));

	/* Usually the highest so far, but not if it was learned late. */
	uint32_t at = f->missed_count++;

	for (; at > 0 && f->missed[at - 1] > id; at--)
		f->missed[at] = f->missed[at - 1];
	f->missed[at] = id;
}

/* False: it was not among the missed. */
static bool follower_catch_up(struct follower *f, int64_t id)
{
	for (uint32_t i = 0; i < f->missed_count; i++) {
		if (f->missed[i] != id)
			continue;
		f->missed_count--;
		memmove(&f->missed[i], &f->missed[i + 1],
		        (f->missed_count - i) * sizeof *f->missed);
		return true;
	}
	return false;
}

static void follower_skip_to(struct follower *f, const struct room_log *log,
                             int64_t id)
{
	while (f->position < log->count && log->entries[f->position].id < id)
		follower_miss(f, log->entries[f->position++].id);
}

/* Followers already beyond that place have missed the new entry. */
static void shift_followers(struct ledger *ledger, uint32_t room, uint32_t at,
                            int64_t id)
{
	for (uint32_t i = room; i < ledger->followers_count; i += ledger->rooms) {
		struct follower *f = &ledger->followers[i];

		if (f->position <= at)
			continue;
		f->position++;
		follower_miss(f, id);
	}
	ledger->logs[room].reached++;
}

static void insert(struct ledger *ledger, uint32_t room, uint32_t at,
                   struct entry entry)
{
	struct room_log *log = &ledger->logs[room];

	if (log->count == log->allocated) {
		log->allocated = log->allocated * 2 + 16;
		log->entries = load_resize(log->entries, log->allocated *
		                                                 sizeof *log->entries);
	}
	memmove(&log->entries[at + 1], &log->entries[at],
	        (log->count - at) * sizeof *log->entries);
	log->entries[at] = entry;
	log->count++;
	if (at < log->reached)
		shift_followers(ledger, room, at, entry.id);
}

bool ledger_add(struct ledger *ledger, uint32_t room, int64_t id,
                uint32_t number)
{
	const struct room_log *log = &ledger->logs[room];
	uint32_t at = log->count;

	while (at > 0 && log->entries[at - 1].id > id)
		at--;
	if (at > 0 && log->entries[at - 1].id == id)
		return log->entries[at - 1].number == number;
	insert(ledger, room, at, (struct entry){id, number});
	return true;
}

static enum sighting see_old(struct follower *f, int64_t id)
{
	return follower_catch_up(f, id) ? SEEN_LATE : SEEN_AGAIN;
}

enum sighting ledger_see(struct ledger *ledger, uint32_t follower, int64_t id,
                         uint32_t number)
{
	uint32_t room = follower % ledger->rooms;
	struct room_log *log = &ledger->logs[room];
	struct follower *f = &ledger->followers[follower];

	if (id <= f->last_id) {
		/* If the entry is new, the follower has just missed it. */
		ledger_add(ledger, room, id, number);
		return see_old(f, id);
	}
	follower_skip_to(f, log, id);
	if (f->position == log->count || log->entries[f->position].id != id)
		insert(ledger, room, f->position, (struct entry){id, number});

	const struct entry *entry = &log->entries[f->position++];

	f->last_id = id;
	if (f->position > log->reached)
		log->reached = f->position;
	return entry->number == number ? SEEN_IN_TURN : SEEN_WRONG;
}

enum sighting ledger_pass(struct ledger *ledger, uint32_t follower, int64_t id)
{
	struct follower *f = &ledger->followers[follower];

	if (id <= f->last_id)
		return see_old(f, id);
	follower_skip_to(f, &ledger->logs[follower % ledger->rooms], id);
	f->last_id = id;
	return SEEN_IN_TURN;
}

int64_t ledger_example(const struct ledger *ledger, uint32_t follower)
{
	const struct follower *f = &ledger->followers[follower];
	const struct room_log *log = &ledger->logs[follower % ledger->rooms];

	if (!f->active)
		return 0;
	if (f->missed_count > 0)
		return f->missed[0];
	return f->position < log->count ? log->entries[f->position].id : 0;
}

uint64_t ledger_required(const struct ledger *ledger, uint32_t from,
                         uint32_t to)
{
	uint64_t sum = 0;

	for (uint32_t i = from; i < to; i++)
		if (ledger->followers[i].active)
			sum += ledger->logs[i % ledger->rooms].count;
	return sum;
}

uint64_t ledger_lacking(const struct ledger *ledger, uint32_t from, uint32_t to)
{
	uint64_t sum = 0;

	for (uint32_t i = from; i < to; i++) {
		const struct follower *f = &ledger->followers[i];

		if (f->active)
			sum += ledger->logs[i % ledger->rooms].count -
			       f->position + f->missed_count;
	}
	return sum;
}
