/* The contents of each room's log, and each follower's position in it. Pure.
 *
 * The log of a room is the list of this run's ids in it, ascending. An id is learned
 * from the answer to its POST or from a delivery, whichever comes first. A follower
 * that gets all ids in order needs only its position in that list, and one
 * comparison per delivery. Ids that it skips are recorded for it: an id that comes
 * later is out of order, one that never comes is lost.
 *
 * Follower f is in room f % rooms. A client that follows several rooms is as many
 * followers. */
#ifndef LONGROOM_LOAD_LEDGER_H
#define LONGROOM_LOAD_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

struct entry {
	int64_t id;
	uint32_t number; /* the message's number in the run */
};

struct room_log {
	struct entry *entries;
	uint32_t count, allocated;
	uint32_t reached; /* no follower's position is higher */
};

struct follower {
	int64_t last_id;   /* the highest seen, foreign ones included */
	uint32_t position; /* the entry that is next */
	bool active;       /* it must get everything */
	uint32_t missed_count;
	int64_t *missed;   /* ids passed over, ascending */
};

struct ledger {
	uint32_t rooms, followers_count;
	struct room_log *logs;
	struct follower *followers;
};

enum sighting {
	SEEN_IN_TURN,
	SEEN_LATE,  /* passed over before */
	SEEN_AGAIN,
	SEEN_WRONG, /* in turn, but the id is another message's */
};

void ledger_init(struct ledger *ledger, uint32_t rooms, uint32_t followers);
void ledger_release(struct ledger *ledger);

/* From here on the follower must get everything after last_id. Call it before the
 * room's first entry only. */
void ledger_join(struct ledger *ledger, uint32_t follower, int64_t last_id);

/* A POST was answered with this id. False: it is another message's. */
bool ledger_add(struct ledger *ledger, uint32_t room, int64_t id,
                uint32_t number);

enum sighting ledger_see(struct ledger *ledger, uint32_t follower, int64_t id,
                         uint32_t number);

/* The follower got an id that is not an entry and must not become one. If it is not
 * in turn, late and repeated ids cannot be told apart. */
enum sighting ledger_pass(struct ledger *ledger, uint32_t follower, int64_t id);

/* Count the required deliveries, and those that have not come (yet), over the
 * followers [from, to). */
uint64_t ledger_required(const struct ledger *ledger, uint32_t from,
                         uint32_t to);
uint64_t ledger_lacking(const struct ledger *ledger, uint32_t from, uint32_t to);

/* Returns an id that the follower lacks; 0: none. */
int64_t ledger_example(const struct ledger *ledger, uint32_t follower);

#endif
