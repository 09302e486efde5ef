/* Declarations shared by the roster's files. */
#ifndef LONGROOM_ROSTER_PRIVATE_H
#define LONGROOM_ROSTER_PRIVATE_H

#include "base/complaint.h"
#include "codec/message.h"
#include "presence/roster.h"

/* What one source says: that a member is in a room, or, with member NULL, how many
 * anonymous are there.
 *
 * A claim is in one list of its source. Those of others are in the order of the time
 * at which they were last repeated. This process has two lists: what it has told, in
 * the order of telling, and what is news. A claim that was taken back is news too: it
 * stays until it was told, with is_over set. */
struct claim {
	struct list in_source;
	struct claim *next; /* of the same member, or the room's next count */
	struct roster_room *room;
	struct member *member;
	int64_t said_ms;
	union {
		uint64_t names;    /* a member's, as last said: a fingerprint */
		int64_t anonymous; /* as last said */
	};
	unsigned char source;
	bool is_over;
	uint32_t times; /* see roster_come() */
};

struct claims {
	struct list told;
	struct list news; /* of ROSTER_HERE */
	size_t count;     /* in both, those that are over included */
};

struct roster {
	void *tree; /* of rooms, by name */
	struct claims users[ROSTER_SOURCES];
	struct claims anonymous[ROSTER_SOURCES];
	size_t claims; /* of all sources */
	int64_t now_ms;
	bool keeps_news;
	void (*changed)(void *context, struct roster_room *room);
	void *context;
	struct complaint about_size;
	/* What a statement borrows of a claim that is over. */
	struct room_name left_room;
	char left_id[MESSAGE_NAME_MAX];
};

/* The source's claims of this kind. */
struct claims *roster_claims_of(struct roster *roster, const struct claim *claim);

/* Frees a claim about a member; roster_settle_member() then frees the member, if it was
 * the last. */
void roster_free_claim(struct roster *roster, struct claim *claim);
void roster_settle_member(struct roster *roster, struct member *member);

/* Takes back that a member is there. The claim may be freed. */
void roster_end_member(struct roster *roster, struct claim *claim);

/* Changes a count, which is freed if nobody has to be told that it is 0. The second
 * frees one. */
void roster_set_count(struct roster *roster, struct claim *claim, int64_t count);
void roster_free_count(struct roster *roster, struct claim *claim);

#endif
