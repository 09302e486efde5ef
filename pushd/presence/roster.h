/* The roster: who is in which room, as each source tells it.
 *
 * A source is this process or another longroom-pushd. A user is in a room while any
 * source says so, and counts once, under the name that came last. Those without a user
 * id are only counted, for each source.
 *
 * A name comes when a source says another one than it said last. So two sources that
 * know a user by different names, and repeat them, do not rename the user all the time.
 *
 * The roster has a room as long as somebody is in it, or it is held.
 *
 * Everything takes logarithmic time in the rooms, and in the users of a room. */
#ifndef LONGROOM_ROSTER_H
#define LONGROOM_ROSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/text.h"
#include "codec/room_name.h"
#include "presence/person.h"

enum {
	ROSTER_HERE = 0,     /* the source that is this process */
	ROSTER_SOURCES = 64, /* at most */
	/* Users in rooms, and counts of anonymous, for each source that says so: others
	 * can't take memory by saying the same many times. Whoever comes beyond is not
	 * told of. */
	ROSTER_MEMBERS_MAX = 1000000,
	/* The last of them are for this process: others can't take them all. */
	ROSTER_MEMBERS_OWN = 100000,
};

struct roster_room;
struct claim;

/* Somebody in a room; immutable for others than the roster. */
struct member {
	struct person person; /* first: see compare_members() */
	struct list in_room;  /* in roster_room.members */
	uint64_t sources;     /* a bit for each that says so */
	/* The roster's own: */
	struct roster_room *room;
	struct claim *claims; /* what each source says */
	char *names;          /* the storage of person.username and sender_type */
	char user_id[];
};

struct roster_room {
	struct room_name name; /* first: see compare_rooms() */
	struct list members;   /* in the order in which they came */
	size_t users;          /* members */
	int64_t anonymous;     /* of all sources */
	uint64_t changes; /* counts what clients can see: who came, went, was renamed */
	size_t holds;
	void *told; /* the holder's own; NULL at first */
	/* The roster's own: */
	void *tree;           /* of members, by user_id */
	struct claim *counts; /* what each source says of the anonymous */
	size_t kept;          /* members of the tree, counts and holds */
};

struct roster;

/* changed(context, room) is called after each change that clients can see. It may hold
 * and drop rooms, but not tell the roster who is in them. */
struct roster *roster_new(void (*changed)(void *context, struct roster_room *room),
                          void *context);
void roster_free(struct roster *roster);

/* The source says that this person is in the room, or is no longer. Repeating either
 * changes nothing. False: there are ROSTER_MEMBERS_MAX; this is logged. */
bool roster_enter(struct roster *roster, const struct room_name *name, unsigned source,
                  const struct person *person);
void roster_leave(struct roster *roster, const struct room_name *name, unsigned source,
                  struct text user_id);
/* ... that so many without a user id are in the room. False as above. */
bool roster_count_anonymous(struct roster *roster, const struct room_name *name,
                            unsigned source, int64_t count);

/* ---- What this process counts ---- */

/* The person is in the room once more, for this process, or once less: they have left
 * when they have gone as often as they came. False as above, and not to be taken
 * back. */
bool roster_come(struct roster *roster, const struct room_name *name,
                 const struct person *person);
void roster_go(struct roster *roster, const struct room_name *name,
               struct text user_id);
/* Adds to this process's count, which does not go below 0. False as above. */
bool roster_add_anonymous(struct roster *roster, const struct room_name *name,
                          int64_t count);

/* ---- Rooms ---- */

/* NULL: nobody is there, and nobody holds it. Borrowed until the roster changes. */
struct roster_room *roster_find(const struct roster *roster,
                                const struct room_name *name);
/* Keeps a room, even if nobody is in it, until it is dropped. */
struct roster_room *roster_hold(struct roster *roster, const struct room_name *name);
void roster_drop(struct roster *roster, struct roster_room *room);

/* ---- What other sources no longer repeat ---- */

/* What is said from now on is said at this time; at first it is 0. */
void roster_set_time(struct roster *roster, int64_t now_ms);

/* Takes back what another source said, and last repeated before this time: of users,
 * of anonymous. At most so much at once; returns how much. */
size_t roster_expire_users(struct roster *roster, unsigned source, int64_t before_ms,
                           size_t most);
size_t roster_expire_anonymous(struct roster *roster, unsigned source,
                               int64_t before_ms, size_t most);

/* ---- What this process tells the others ---- */

/* From now on keeps what this process says until roster_take_news() takes it; call it
 * before anything is said. */
void roster_keep_news(struct roster *roster);

/* Takes the oldest news of this process, first of users, then of anonymous. False:
 * there is none. The statement borrows until the roster changes. */
bool roster_take_news(struct roster *roster, struct statement *statement);

/* Takes what this process says, and what was taken longest ago. False: nothing. */
bool roster_take_user(struct roster *roster, struct statement *statement);
bool roster_take_anonymous(struct roster *roster, struct statement *statement);

/* How much there is for these two. */
size_t roster_users_here(const struct roster *roster);
size_t roster_anonymous_here(const struct roster *roster);

#endif
