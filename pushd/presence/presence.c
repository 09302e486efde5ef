#include "presence/presence.h"

#include <stdlib.h>

#include "base/memory.h"

/* Each leaves up to limits.rooms_per_request rooms. */
enum { SHARE_ABSENCES = 16 };

static void pass_change_on(void *context, struct roster_room *room)
{
	(void)context;
	watching_note_change(room);
}

struct presence *presence_new(const struct presence_options *options, int64_t now_ms)
{
	struct presence *presence = memory_get(sizeof *presence);

	presence->roster = roster_new(pass_change_on, NULL);
	attendances_init(&presence->attendances, options->hub, presence->roster,
	                 options->grace_ms);
	watching_init(&presence->watching, presence->roster, &options->form,
	              options->tell, now_ms);
	return presence;
}

void presence_free(struct presence *presence)
{
	if (presence == NULL)
		return;
	attendances_release(&presence->attendances);
	watching_release(&presence->watching);
	roster_free(presence->roster);
	free(presence);
}

void presence_set_limits(struct presence *presence, int64_t grace_ms,
                         size_t users_most)
{
	presence->attendances.grace_ms = grace_ms;
	presence->watching.form.users_most = users_most;
}

struct visit *visit_begin(struct presence *presence, struct attendance *attendance,
                          const struct visit_terms *terms, void *owner,
                          int64_t now_ms)
{
	const struct feed *feed = attendance->feed;
	size_t count = terms->watches ? feed->count : 0;
	struct visit *visit = memory_get(sizeof *visit +
	                                 count * sizeof *visit->watches);

	presence->watching.now_ms = now_ms;
	attendance_hold(attendance);
	visit->attendance = attendance;
	visit->owner = owner;
	visit->begun_ms = now_ms;
	visit->attends = terms->attends;
	visit->count = count;
	if (visit->attends)
		attendance_begin(attendance);
	for (size_t i = 0; i < count; i++)
		watch_begin(&presence->watching, &visit->watches[i], visit,
		            &feed->rooms[i].room->name);
	return visit;
}

void visit_end(struct presence *presence, struct visit *visit, int64_t now_ms)
{
	presence->watching.now_ms = now_ms;
	for (size_t i = 0; i < visit->count; i++)
		watch_end(&visit->watches[i]);
	if (visit->attends)
		attendance_end(visit->attendance, now_ms);
	attendance_drop(visit->attendance);
	free(visit);
}

void visit_ask(struct visit *visit)
{
	for (size_t i = 0; i < visit->count; i++)
		watch_ask(&visit->watches[i]);
}

bool visit_has_changed(const struct visit *visit, int64_t since_ms)
{
	for (size_t i = 0; i < visit->count; i++)
		if (visit->watches[i].room->changed_ms >= since_ms)
			return true;
	return false;
}

void presence_add_room(struct presence *presence, struct buffer *b,
                       const struct room_name *name)
{
	size_t before = b->size;

	buffer_add_string(b, "{");
	room_text_add(b, name, roster_find(presence->roster, name),
	              &presence->watching.form);
	buffer_add_string(b, "}");
	presence->watching.render_left -= (int64_t)(b->size - before);
}

void presence_tick(struct presence *presence, int64_t now_ms)
{
	presence->watching.now_ms = now_ms;
	presence->has_absent = true;
	watching_tick(&presence->watching);
}

bool presence_go_on(struct presence *presence, int64_t now_ms)
{
	presence->watching.now_ms = now_ms;
	presence->has_absent = attendances_expire(&presence->attendances, now_ms,
	                                          SHARE_ABSENCES);
	return watching_go_on(&presence->watching) || presence->has_absent;
}

bool presence_needs_share(const struct presence *presence)
{
	return presence->has_absent || watching_has_work(&presence->watching);
}
