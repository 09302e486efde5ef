#include "presence/attendance.h"

#include <assert.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/memory.h"

/* Requests of one attendance that ended at the same time. A user has one at most, while
 * none of theirs waits. */
struct absence {
	struct list all; /* in attendances.absences */
	struct list own; /* in attendance.absences */
	struct attendance *attendance;
	int64_t since_ms;
	int64_t count;
};

void attendances_init(struct attendances *all, struct hub *hub,
                      struct roster *roster, int64_t grace_ms)
{
	*all = (struct attendances){
		.hub = hub,
		.roster = roster,
		.grace_ms = grace_ms,
		.slots = memory_get(ATTENDANCE_SLOTS * sizeof(struct attendance *)),
		.seed = hash_seed(),
	};
	list_init(&all->absences);
}

static bool is_anonymous(const struct attendance *attendance)
{
	return attendance->person.user_id.size == 0;
}

/* ---- Rooms ---- */

static const struct room_name *room_of(const struct attendance *attendance,
                                       size_t index)
{
	return &attendance->feed->rooms[index].room->name;
}

static void attend_rooms(struct attendance *attendance)
{
	struct roster *roster = attendance->all->roster;
	size_t count = attendance->feed->count, at = 0;

	while (at < count &&
	       roster_come(roster, room_of(attendance, at), &attendance->person))
		at++;
	attendance->entered = at;
}

static void quit_rooms(struct attendance *attendance)
{
	struct roster *roster = attendance->all->roster;

	for (size_t i = 0; i < attendance->entered; i++)
		roster_go(roster, room_of(attendance, i),
		          attendance->person.user_id);
	attendance->entered = 0;
}

static void add_anonymous(struct attendance *attendance, int64_t count)
{
	for (size_t i = 0; i < attendance->feed->count; i++)
		roster_add_anonymous(attendance->all->roster,
		                     room_of(attendance, i), count);
}

/* ---- Names ---- */

static struct text add_name(char **at, struct text name)
{
	struct text copy = {*at, name.size};

	if (name.size > 0)
		memcpy(*at, name.data, name.size);
	*at += name.size;
	return copy;
}

static void set_person(struct attendance *attendance, const struct person *person)
{
	char *old = attendance->names;
	char *at = memory_get(person->user_id.size + person->username.size +
	                      person->sender_type.size);

	attendance->names = at;
	attendance->person = (struct person){
		.user_id = add_name(&at, person->user_id),
		.username = add_name(&at, person->username),
		.sender_type = add_name(&at, person->sender_type),
	};
	free(old);
}

/* The rooms are told by saying the new name once more, and taking that back. */
static void take_name(struct attendance *attendance, const struct person *person)
{
	struct roster *roster = attendance->all->roster;

	if (text_equal(attendance->person.username, person->username) &&
	    text_equal(attendance->person.sender_type, person->sender_type))
		return;
	set_person(attendance, person);
	attendance->renames++;
	for (size_t i = 0; i < attendance->entered; i++)
		if (roster_come(roster, room_of(attendance, i), person))
			roster_go(roster, room_of(attendance, i), person->user_id);
}

/* ---- The table ---- */

/* Nobody can choose the address of a feed. */
static size_t slot_of(const struct attendances *all, const struct feed *feed,
                      struct text user_id)
{
	uint64_t print = (uint64_t)(uintptr_t)feed / 64 * UINT64_C(0x9e3779b97f4a7c15);

	return (hash_place(all->seed, user_id, ATTENDANCE_SLOTS) +
	        (size_t)(print >> 40)) % ATTENDANCE_SLOTS;
}

static struct attendance *find_attendance(const struct attendances *all, size_t slot,
                                          const struct feed *feed,
                                          struct text user_id)
{
	struct attendance *at = all->slots[slot];

	while (at != NULL &&
	       (at->feed != feed || !text_equal(at->person.user_id, user_id)))
		at = at->next;
	return at;
}

static struct attendance *attendance_new(struct attendances *all, size_t slot,
                                         struct feed *feed,
                                         const struct person *person)
{
	struct attendance *attendance = memory_get(sizeof *attendance);

	attendance->all = all;
	attendance->slot = slot;
	attendance->feed = feed;
	hub_hold_again(all->hub, feed);
	list_init(&attendance->absences);
	set_person(attendance, person);
	attendance->next = all->slots[slot];
	all->slots[slot] = attendance;
	return attendance;
}

/* Frees it when nobody needs it. */
static void settle_attendance(struct attendance *attendance)
{
	struct attendances *all = attendance->all;
	struct attendance **at = &all->slots[attendance->slot];

	if (attendance->holds > 0 || attendance->waiting > 0 ||
	    !list_is_empty(&attendance->absences))
		return;
	while (*at != attendance)
		at = &(*at)->next;
	*at = attendance->next;
	hub_drop_feed(all->hub, attendance->feed);
	free(attendance->names);
	free(attendance);
}

struct attendance *attendance_get(struct attendances *all, struct feed *feed,
                                  const struct person *person)
{
	static const struct person nobody = {.user_id = {"", 0}};
	const struct person *them = person != NULL ? person : &nobody;
	size_t slot = slot_of(all, feed, them->user_id);
	struct attendance *attendance =
		find_attendance(all, slot, feed, them->user_id);

	assert(feed->kind != FEED_ALL);
	if (attendance == NULL)
		attendance = attendance_new(all, slot, feed, them);
	else
		take_name(attendance, them);
	attendance_hold(attendance);
	return attendance;
}

void attendance_hold(struct attendance *attendance)
{
	attendance->holds++;
}

void attendance_drop(struct attendance *attendance)
{
	if (attendance == NULL)
		return;
	assert(attendance->holds > 0);
	attendance->holds--;
	settle_attendance(attendance);
}

/* ---- Absences ---- */

/* There is one. */
static struct absence *last_absence(const struct attendance *attendance)
{
	return LIST_OWNER(attendance->absences.previous, struct absence, own);
}

static void absence_free(struct absence *absence)
{
	absence->attendance->all->absence_count--;
	list_remove(&absence->all);
	list_remove(&absence->own);
	free(absence);
}

/* The absent have left. */
static void leave_for_good(struct absence *absence)
{
	struct attendance *attendance = absence->attendance;

	if (is_anonymous(attendance))
		add_anonymous(attendance, -absence->count);
	else
		quit_rooms(attendance);
	absence_free(absence);
	settle_attendance(attendance);
}

static struct absence *longest_absence(const struct attendances *all)
{
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): freed ones left the list */
	return LIST_OWNER(all->absences.next, struct absence, all);
}

static bool is_last_since(const struct attendance *attendance, int64_t now_ms)
{
	return !list_is_empty(&attendance->absences) &&
	       last_absence(attendance)->since_ms == now_ms;
}

static void begin_absence(struct attendance *attendance, int64_t now_ms)
{
	struct attendances *all = attendance->all;

	if (is_last_since(attendance, now_ms)) {
		last_absence(attendance)->count++;
		return;
	}
	struct absence *absence = memory_get(sizeof *absence);
	absence->attendance = attendance;
	absence->since_ms = now_ms;
	absence->count = 1;
	list_init(&absence->all);
	list_init(&absence->own);
	list_append(&all->absences, &absence->all);
	list_append(&attendance->absences, &absence->own);
	if (++all->absence_count > ABSENCES_MAX)
		leave_for_good(longest_absence(all));
}

/* False: none is absent. */
static bool end_absence(struct attendance *attendance)
{
	if (list_is_empty(&attendance->absences))
		return false;

	struct absence *absence = last_absence(attendance);
	if (--absence->count == 0)
		absence_free(absence);
	return true;
}

void attendance_begin(struct attendance *attendance)
{
	bool is_one_more = is_anonymous(attendance) || attendance->waiting == 0;

	attendance->waiting++;
	if (!is_one_more || end_absence(attendance))
		return;
	if (is_anonymous(attendance))
		add_anonymous(attendance, 1);
	else
		attend_rooms(attendance);
}

void attendance_end(struct attendance *attendance, int64_t now_ms)
{
	assert(attendance->waiting > 0);
	attendance->waiting--;
	if (is_anonymous(attendance) || attendance->waiting == 0)
		begin_absence(attendance, now_ms);
}

bool attendances_expire(struct attendances *all, int64_t now_ms, int most)
{
	while (!list_is_empty(&all->absences) &&
	       longest_absence(all)->since_ms + all->grace_ms <= now_ms) {
		if (most-- == 0)
			return true;
		leave_for_good(longest_absence(all));
	}
	return false;
}

void attendances_release(struct attendances *all)
{
	while (!list_is_empty(&all->absences))
		leave_for_good(longest_absence(all));
	free(all->slots);
	all->slots = NULL;
}
