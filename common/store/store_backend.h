/* A back-end: what it gives store.c, and what it owes. It alone knows its database.
 * What is the same in all of them stands above it: which row a page ends with
 * (cut.h), what is attempted again (outcome.h), rooms' numbers (room_id.h), rows that
 * can't be given (foreign.h).
 *
 * Every log keeps these, whatever its database is:
 *
 *   Ids. They are given out under one lock that a writer holds until it has committed,
 *   so their order is that of the commits. A reader that sees an id sees all below
 *   it, now and later: none is given out ahead of a commit, none turns up behind one
 *   that was seen. No id comes twice within an incarnation, even if its message was
 *   removed. What is rolled back uses none up.
 *
 *   Commits. What is said to be saved is on disk, and with a standby that has to have
 *   it, there too. What is said to have failed stays away: before a batch is attempted
 *   again, or other ids are given out, it is certain that it does. A commit without an
 *   answer is settled by another commit, not by a read: what a reader does not see yet
 *   may still come. Until then it is ATTEMPT_UNKNOWN.
 *
 *   Reads. Each is of one moment: what it tells of the log's end, its incarnations and
 *   the room is what the rows are of. It waits for no writer. It never shows less of
 *   the log than one before it on the same store did, unless another incarnation has
 *   begun.
 *
 *   Incarnations. A writer that would give ids out a second time begins another one
 *   first (incarnations.h). To know, it compares what it finds with what was
 *   acknowledged to the clients, whenever it connects and others have written: its own
 *   memory is no witness. incarnations() goes with the log's end of the same verb.
 *
 *   Others. A log may be changed by SQL while programs run. It counts such changes
 *   and knows for each room whether it has lost messages, and which: log_end.changes,
 *   room_state.pruned, read_changes().
 *
 * A connection is not there until a verb needs it, and each verb makes it anew after a
 * failure that a new one may mend. One thread at a time uses it. A verb that returns
 * false has changed nothing; error() says why. A verb that writes is called on a
 * connection that was opened with STORE_WRITE.
 *
 * Behind a network each verb is meant to be one round trip, two at most: that is why
 * they are whole reads and whole batches, and not statements. */
#ifndef LONGROOM_STORE_BACKEND_H
#define LONGROOM_STORE_BACKEND_H

#include "config/settings.h"
#include "store/cut.h"
#include "store/outcome.h"

struct store_backend {
	const char *scheme; /* of store.url, with the colon */
	/* Whether there can be a store with this address: a url behind its scheme.
	 * *error says why not. */
	bool (*check_address)(const char *address, struct buffer *error);

	/* ---- Life ---- */

	/* Returns a connection that is not connected. It takes its own options from the
	 * settings, which may be gone afterwards: store.c knows none of them. */
	void *(*open)(const struct store_settings *settings, const char *address,
	              enum store_access access);
	void (*close)(void *connection);
	/* Of the last verb that failed. Borrowed. */
	const char *(*error)(const void *connection);
	bool (*connect)(void *connection);
	/* Adds to *found what is there, or why it can't be used, and changes and makes
	 * nothing. For a process that has not connected. */
	enum store_prospect (*examine)(void *connection, struct buffer *found);
	/* As store_is_hopeless() and store_is_awaited(). */
	bool (*is_hopeless)(const void *connection);
	bool (*is_awaited)(const void *connection);

	/* ---- Writing ---- */

	/* Saves a batch in one transaction, in its order: all that are no repeats, or
	 * nothing. Fills in each message's outcome by outcome_saved() or
	 * outcome_repeated(), and in *log the newest incarnation, as they are committed. */
	enum attempt (*append)(void *connection, struct append *appends, size_t count,
	                       uint32_t *log);
	/* The same after ATTEMPT_SPOILT: leaves out those that can't be saved, by
	 * outcome_refused(), and nothing of them behind. Is not itself spoilt. */
	enum attempt (*append_each)(void *connection, struct append *appends,
	                            size_t count, uint32_t *log);
	bool (*probe)(void *connection);
	void (*visit_buses)(void *connection, const char *published,
	                    store_visit_bus *visit, void *context);
	void (*tend)(void *connection);
	/* As store_begin_incarnation(). */
	bool (*begin_incarnation)(void *connection, struct log_end *end);

	/* ---- Reading ---- */

	/* The cheapest verb: it is asked once a second by everybody, of a log in which
	 * most of the time nothing has happened. */
	bool (*log_end)(void *connection, struct log_end *end);
	/* As of the last log's end that a verb has told. Borrowed until the next verb. */
	const struct incarnations *(*incarnations)(const void *connection);
	/* cut.h says which rows these four owe. */
	bool (*read_room)(void *connection, const struct room_name *room,
	                  struct page_cut *cut);
	bool (*read_log)(void *connection, struct log_cut *cut);
	bool (*find_tail)(void *connection, struct tail_cut *cut);
	bool (*read_changes)(void *connection, struct changes_cut *cut);
	/* A room that is not there has the state {0}. */
	bool (*read_states)(void *connection, const struct room_name *rooms,
	                    size_t count, struct room_state *states,
	                    struct log_end *end);
	/* A row that can't be given is not found. */
	bool (*read_one)(void *connection, const struct room_name *room,
	                 int64_t id, store_visit *visit, void *context,
	                 struct log_end *end, bool *found);
};

extern const struct store_backend store_sqlite;

#endif
