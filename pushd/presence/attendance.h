/* Who attends: for each feed and person, the requests of theirs that wait, or did until
 * a moment ago.
 *
 * A poll comes back with each message and may name a hundred rooms. So what it costs to
 * enter them is paid when the attendance begins, and again when it ends: after its last
 * request and the grace. A request that comes back in between costs one look-up.
 *
 * The anonymous of a feed share an attendance. Each of their requests counts as one
 * person; one that begins takes the place of the one that ended last.
 *
 * Memory is bounded by the waiting requests and by ABSENCES_MAX: beyond it, the
 * longest absent have left. */
#ifndef LONGROOM_ATTENDANCE_H
#define LONGROOM_ATTENDANCE_H

#include "hub/hub.h"
#include "presence/roster.h"

enum {
	ATTENDANCE_SLOTS = 65536,
	ABSENCES_MAX = 100000,
};

struct attendances {
	struct hub *hub;       /* borrowed */
	struct roster *roster; /* borrowed */
	int64_t grace_ms;
	struct attendance **slots;
	uint64_t seed;
	struct list absences; /* longest absent first */
	size_t absence_count;
};

/* Of a feed and a person: users have one each, the anonymous share one. */
struct attendance {
	struct attendances *all;
	struct attendance *next; /* in its slot */
	struct feed *feed;       /* held */
	size_t slot;
	size_t holds;
	size_t waiting; /* requests */
	size_t entered; /* a user's: the rooms of the feed that they are in, which are
	                 * the first ones. Fewer than all if the roster is full */
	struct list absences; /* longest absent first */
	unsigned renames;
	struct person person; /* user_id is empty: the anonymous */
	char *names; /* the storage of the person's texts */
};

void attendances_init(struct attendances *all, struct hub *hub,
                      struct roster *roster, int64_t grace_ms);
/* Call when nobody waits, and none is held. */
void attendances_release(struct attendances *all);

/* Returns the attendance of a person, held; the caller drops it. NULL: anonymous. The
 * name is taken over, if it is another one. The feed is not of all rooms. */
struct attendance *attendance_get(struct attendances *all, struct feed *feed,
                                  const struct person *person);
void attendance_hold(struct attendance *attendance);
/* Does nothing for NULL. */
void attendance_drop(struct attendance *attendance);

/* A request begins to wait, or no longer waits. */
void attendance_begin(struct attendance *attendance);
void attendance_end(struct attendance *attendance, int64_t now_ms);

/* Ends those whose grace has passed. At most so many at once; true: there are more. */
bool attendances_expire(struct attendances *all, int64_t now_ms, int most);

#endif
