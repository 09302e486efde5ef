/* The log: the store of messages. This is an interface. Each back-end is a folder
 * whose code alone knows its database, and a row of the table in store.c.
 *
 * A store is one connection and belongs to one thread. A process has at most one
 * that writes. A store connects when it is first used, and again after an error that
 * a new connection may fix. So it survives a database that is away, full, locked, or
 * replaced by another.
 *
 * Ids are positions in the log: they ascend in commit order, and none is assigned
 * twice within an incarnation of the log (incarnations.h). store_backend.h has all
 * guarantees. A writing store begins a new incarnation when it connects and finds
 * that the log lacks acknowledged messages. A caller that keeps positions compares
 * the newest incarnation's tag in every answer with the tag that it knows. If the
 * tag differs, or the log's end is before an earlier one, the list of incarnations
 * decides which positions are still valid.
 *
 * A function that returns false has failed, and store_error() says why, for the
 * operator. It has changed nothing, as far as is known: if the disk fails during a
 * commit, the commit may turn out to have succeeded. */
#ifndef LONGROOM_STORE_H
#define LONGROOM_STORE_H

#include "config/settings.h"
#include "store/log.h"

struct store;

/* Borrows the settings. NULL: store.url has no known scheme; *error says why. */
struct store *store_new(const struct store_settings *settings,
                        enum store_access access, struct buffer *error);
void store_free(struct store *store);

const char *store_error(const struct store *store);

/* Connects if not connected, and reconnects if another database is at the address
 * now. Every call below does so by itself. */
bool store_connect(struct store *store);

/* Checks the address without changing or creating anything, and adds to *found what
 * is there. False: it is unusable, and the reason has been logged. For a process
 * that has not connected yet. */
bool store_is_worth_a_start(struct store *store, struct buffer *found);

/* Whether the last failure is one that retrying cannot fix: there is no database and
 * none can be created, or it is not a Longroom database. */
bool store_is_hopeless(const struct store *store);

/* Whether the last failure is only that there is no log yet, and this process has
 * seen none at this place: a reader that was started first waits for a writer. */
bool store_is_awaited(const struct store *store);

/* Whether url is the valid address of a store; if not, *error says why. */
bool store_check_url(const char *url, struct buffer *error);

bool store_log_end(struct store *store, struct log_end *end);

/* Returns the log's incarnations as of the last log_end that this store has given,
 * alone or with a page. Borrowed until the store's next call. */
const struct incarnations *store_incarnations(const struct store *store);

/* Begins an incarnation at the log's end, after an operator has restored a backup.
 * The store must be a writing one that has not connected. Fails if there is no log,
 * or another writer has it open. */
bool store_begin_incarnation(struct store *store, struct log_end *end);

/* Appends messages in the given order, in one transaction. True: the transaction is
 * on disk, and *log is the tag of the newest incarnation at the commit. A refused
 * message does not prevent the others from being saved. */
bool store_append(struct store *store, struct append *appends, size_t count,
                  uint32_t *log);

/* Tests whether a message could be saved now, with a commit that leaves the log
 * unchanged. */
bool store_probe(struct store *store);

/* Visits the bus addresses of the other processes that write to this log now, as far
 * as known. `published` is this process's own address, or NULL; others see it from
 * now on, for the life of the store. */
void store_visit_buses(struct store *store, const char *published,
                       store_visit_bus *visit, void *context);

/* Does maintenance (checkpoints). Call it when the writer is idle. */
void store_tend(struct store *store);

/* Reads a page of a room, oldest first, as of one moment. */
bool store_read_room(struct store *store, const struct room_name *room,
                     const struct store_range *range, store_visit *visit,
                     void *context, struct store_page *page);

/* Reads the messages of several rooms, each named once, after range->id (the direction
 * is STORE_AFTER), oldest first, as of one moment. The limit is of rows looked at. */
bool store_read_rooms(struct store *store, const struct room_name *rooms,
                      size_t count, const struct store_range *range,
                      store_visit *visit, void *context,
                      struct rooms_page *page);

/* The same for all rooms, without their states. A removal that is looked at counts as a
 * row. `gaps` gets the rooms whose highest removed id is behind range->id, up to
 * page->upto, in the order of these ids. The page is cut before a room that has no
 * place there. So successive pages name each room once.
 *
 * Only if more rooms than places have the same highest removed id, because SQL has
 * moved one message through all of them, the rest is not named. */
bool store_read_all(struct store *store, const struct store_range *range,
                    store_visit *visit, void *context, struct rooms_gaps *gaps,
                    struct rooms_page *page);

/* Reads the states of rooms, as of one moment. */
bool store_read_states(struct store *store, const struct room_name *rooms,
                       size_t count, struct room_state *states,
                       struct log_end *end);

/* Lists at most `most` rooms that were changed after change number `since`
 * (log_end.changes), as of one moment. *upto is the last change that is covered. */
bool store_read_changes(struct store *store, int64_t since,
                        struct room_change *rooms, size_t most, size_t *count,
                        int64_t *upto, struct log_end *end);

bool store_read_one(struct store *store, const struct room_name *room,
                    int64_t id, store_visit *visit, void *context,
                    struct log_end *end, bool *found);

/* Reads the log of all rooms after id, as of one moment, up to its end or a limit of
 * messages or bytes. */
bool store_read_log(struct store *store, int64_t id, int64_t limit,
                    int64_t bytes, store_visit *visit, void *context,
                    struct log_page *page);

/* Finds the id after which the rest of the log has about this many bytes. */
bool store_find_tail(struct store *store, int64_t bytes, int64_t *id);

#endif
