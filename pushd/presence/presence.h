/* Presence: who is here, and who is told of it.
 *
 * A visit is a request that makes somebody be in its rooms (attendance.h), or that
 * watches them (watching.h), or both. Times are the monotonic clock's. */
#ifndef LONGROOM_PRESENCE_H
#define LONGROOM_PRESENCE_H

#include "presence/attendance.h"
#include "presence/watching.h"

enum { PRESENCE_WATCHES_MAX = 10 }; /* rooms of a request that watches */

struct presence {
	struct roster *roster;
	struct attendances attendances;
	struct watching watching;
	bool has_absent; /* there are some whose grace has passed */
};

/* How a request visits. */
struct visit_terms {
	bool attends; /* it waits, and so makes its user be here */
	bool watches; /* it is told of its rooms */
};

struct visit {
	struct attendance *attendance; /* held */
	void *owner;      /* whoever began it */
	int64_t begun_ms; /* when that was */
	int64_t due_ms;   /* the owner's */
	bool attends;
	size_t count;     /* of watches */
	struct watch watches[];
};

struct presence_options {
	struct hub *hub; /* borrowed; outlives all feeds that are attended */
	struct room_text_form form;
	int64_t grace_ms;
	bool (*tell)(struct watch *watch); /* see watching.h */
};

struct presence *presence_new(const struct presence_options *options,
                              int64_t now_ms);
/* Call when there are no visits, and no attendance is held. Does nothing for NULL. */
void presence_free(struct presence *presence);

void presence_set_limits(struct presence *presence, int64_t grace_ms,
                         size_t users_most);

/* Begins a visit, or ends it and frees it. */
struct visit *visit_begin(struct presence *presence, struct attendance *attendance,
                          const struct visit_terms *terms, void *owner,
                          int64_t now_ms);
void visit_end(struct presence *presence, struct visit *visit, int64_t now_ms);
/* It is told of all its rooms soon. */
void visit_ask(struct visit *visit);
/* Whether a room that it watches has changed since then. */
bool visit_has_changed(const struct visit *visit, int64_t since_ms);

/* Adds a room as it is now, as an object. Uses up some of the share. */
void presence_add_room(struct presence *presence, struct buffer *b,
                       const struct room_name *name);
/* Whether some of the share is left. */
static inline bool presence_has_share(const struct presence *presence)
{
	return presence->watching.render_left > 0;
}

/* Call it every DEADLINES_TICK_MS. */
void presence_tick(struct presence *presence, int64_t now_ms);
/* Does the next share (turn.h). True: there is more. */
bool presence_go_on(struct presence *presence, int64_t now_ms);
bool presence_needs_share(const struct presence *presence);

#endif
