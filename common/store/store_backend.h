/* A back-end: its functions, and the guarantees that it must give. A back-end alone
 * knows its database. The code above the back-ends is common to all of them: where a
 * page ends (cut.h), what is tried again (outcome.h), rooms' numbers (room_id.h),
 * and rows that can't be given to clients (foreign.h).
 *
 * Every log guarantees the following, whatever its database:
 *
 *   Ids. A writer assigns them under one lock, which it holds until it has
 *   committed, so ids are in commit order. A reader that sees an id sees all lower
 *   ids, now and later: no id is visible before its commit, and none appears below
 *   one that was seen. No id is assigned twice within an incarnation, even if its
 *   message was removed. A rollback uses up no ids.
 *
 *   Commits. A message reported as saved is on disk and, if a standby is required,
 *   on the standby. A batch reported as failed does not turn up later: this is made
 *   certain before the batch is tried again or other ids are assigned. The exception
 *   is a commit without an answer. Its outcome is ATTEMPT_UNKNOWN until another
 *   commit settles it. A read can't settle it, since the commit may become visible
 *   later.
 *
 *   Reads. Each read is of one moment: log end, incarnations, room state and rows
 *   fit together. It waits for no writer. It never shows less of the log than an
 *   earlier read on the same store, unless a new incarnation has begun.
 *
 *   Incarnations. A writer that would assign ids a second time first begins a new
 *   incarnation (incarnations.h). To find out, it compares the log with what was
 *   acknowledged to clients, whenever it connects and whenever other programs have
 *   written. It does not rely on its own memory. The list that incarnations()
 *   returns fits the log end that the last verb gave.
 *
 *   Changes by others. The log may be changed by SQL while programs run. It counts
 *   such changes, and knows for each room whether messages were removed, and which:
 *   log_end.changes, room_state.pruned, read_changes().
 *
 * Verbs connect when necessary, and reconnect after a failure that a new connection
 * may fix. One thread at a time uses a connection. A verb that returns false has
 * changed nothing, and error() says why. Verbs that write are called only on a
 * connection opened with STORE_WRITE.
 *
 * Over a network each verb should take one round trip, at most two. So verbs are
 * whole reads and whole batches, not statements. */
#ifndef LONGROOM_STORE_BACKEND_H
#define LONGROOM_STORE_BACKEND_H

#include "config/settings.h"
#include "store/cut.h"
#include "store/outcome.h"

struct store_backend {
	const char *scheme; /* of store.url, with the colon */
	/* Whether the address (a url without its scheme) is valid. If not, *error
	 * says why. */
	bool (*check_address)(const char *address, struct buffer *error);

	/* ---- Life ---- */

	/* Returns a connection that is not connected yet. It copies its own options
	 * from the settings, which may be freed afterwards; store.c knows none of
	 * them. */
	void *(*open)(const struct store_settings *settings, const char *address,
	              enum store_access access);
	void (*close)(void *connection);
	/* Returns the error of the last verb that failed. Borrowed. */
	const char *(*error)(const void *connection);
	bool (*connect)(void *connection);
	/* Adds to *found a description of the store there, or the reason why it
	 * can't be used. Changes and creates nothing. For a process that has not
	 * connected. */
	enum store_prospect (*examine)(void *connection, struct buffer *found);
	/* As store_is_hopeless() and store_is_awaited(). */
	bool (*is_hopeless)(const void *connection);
	bool (*is_awaited)(const void *connection);

	/* ---- Writing ---- */

	/* Saves a batch in one transaction, in its order: all messages that are not
	 * repeats, or nothing. Sets each message's outcome with outcome_saved() or
	 * outcome_repeated(), and *log to the newest incarnation at the commit. */
	enum attempt (*append)(void *connection, struct append *appends, size_t count,
	                       uint32_t *log);
	/* The same after ATTEMPT_SPOILT: leaves out messages that can't be saved,
	 * sets outcome_refused() for them, and leaves nothing of them behind. Never
	 * returns ATTEMPT_SPOILT. */
	enum attempt (*append_each)(void *connection, struct append *appends,
	                            size_t count, uint32_t *log);
	bool (*probe)(void *connection);
	void (*visit_buses)(void *connection, const char *published,
	                    store_visit_bus *visit, void *context);
	void (*tend)(void *connection);
	/* As store_begin_incarnation(). */
	bool (*begin_incarnation)(void *connection, struct log_end *end);

	/* ---- Reading ---- */

	/* The cheapest verb: every reader calls it once a second, and usually
	 * nothing has happened. */
	bool (*log_end)(void *connection, struct log_end *end);
	/* As of the last log end that a verb has given. Borrowed until the next
	 * verb. */
	const struct incarnations *(*incarnations)(const void *connection);
	/* cut.h says which rows these six must give. */
	bool (*read_room)(void *connection, const struct room_name *room,
	                  struct page_cut *cut);
	/* The cost depends on the rows looked at, not on the sizes of the rooms. */
	bool (*read_rooms)(void *connection, const struct room_name *rooms,
	                   size_t count, struct rooms_cut *cut);
	bool (*read_all)(void *connection, struct all_cut *cut);
	bool (*read_log)(void *connection, struct log_cut *cut);
	bool (*find_tail)(void *connection, struct tail_cut *cut);
	bool (*read_changes)(void *connection, struct changes_cut *cut);
	/* A room that does not exist has the state {0}. */
	bool (*read_states)(void *connection, const struct room_name *rooms,
	                    size_t count, struct room_state *states,
	                    struct log_end *end);
	/* A row that can't be given to clients counts as not found. */
	bool (*read_one)(void *connection, const struct room_name *room,
	                 int64_t id, store_visit *visit, void *context,
	                 struct log_end *end, bool *found);
};

extern const struct store_backend store_sqlite;

#endif
