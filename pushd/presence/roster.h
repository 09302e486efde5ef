/* The roster: who is in which room, as each source tells it.
 *
 * A source is this process or another longroom-pushd. A user is in a room while any
 * source says so, and counts once, under the name that came last. Those without a user id
 * are only counted, for each source.
 *
 * The roster has a room as long as somebody is in it, or it is held. */
#ifndef LONGROOM_ROSTER_H
#define LONGROOM_ROSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/text.h"
#include "codec/room_name.h"

enum {
	ROSTER_HERE = 0,     /* the source that is this process */
	ROSTER_SOURCES = 64, /* at most */
	/* Users in rooms, in all, with all sources. Whoever comes beyond is not told
	 * of. */
	ROSTER_MEMBERS_MAX = 1000000,
};

/* Somebody known by name. Texts of 1 to 128 bytes each, UTF-8 without controls. */
struct person {
	struct text user_id;
	struct text username;
	struct text sender_type;
};

/* Somebody in a room; immutable for others than the roster. */
struct member {
	struct list in_room; /* in roster_room.members */
	uint64_t sources;    /* a bit for each that says so */
	struct person person;
	/* (more: the roster's own) */
};

struct roster_room {
	struct room_name name;
	struct list members; /* in the order in which they came */
	size_t users;        /* members */
	int64_t anonymous;   /* of all sources */
	uint64_t changes;    /* counts what clients can see: who came, went, was renamed */
	size_t holds;
	void *told; /* the holder's own; NULL at first */
	/* (more: the roster's own) */
};

struct roster;

/* changed(context, room) is called after each change that clients can see. */
struct roster *roster_new(void (*changed)(void *context, struct roster_room *room),
                          void *context);
void roster_free(struct roster *roster);

/* The source says that this person is in the room, or is no longer. Repeating either
 * changes nothing. False: there are ROSTER_MEMBERS_MAX. */
bool roster_enter(struct roster *roster, const struct room_name *room, unsigned source,
                  const struct person *person);
void roster_leave(struct roster *roster, const struct room_name *room, unsigned source,
                  struct text user_id);
/* ... that so many without a user id are in the room. */
void roster_count_anonymous(struct roster *roster, const struct room_name *room,
                            unsigned source, int64_t count);

/* NULL: nobody is there, and nobody holds it. Borrowed until the roster changes. */
struct roster_room *roster_find(const struct roster *roster,
                                const struct room_name *room);
/* Keeps a room, even if nobody is in it, until it is dropped. */
struct roster_room *roster_hold(struct roster *roster, const struct room_name *room);
void roster_drop(struct roster *roster, struct roster_room *room);

#endif
