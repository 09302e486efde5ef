/* The log: where messages are kept. An interface; each back-end is a room
 * that alone knows its database, and a row of the table in store.c.
 *
 * A store is one connection and belongs to one thread. A process has at most
 * one that writes. It connects when it is first used and again after an error
 * that a new connection may mend, so a store outlives a database that is away,
 * full, locked, or replaced by another.
 *
 * Ids are positions in the log: they ascend in commit order and none comes twice
 * within an incarnation of the log (incarnations.h). store_backend.h has all that
 * every log keeps. A store that writes begins an incarnation by itself when it
 * finds, as it connects, that the log lacks what was acknowledged. A caller that
 * holds positions compares the newest incarnation's tag with that of every answer:
 * another tag, or an end before one seen earlier, means that the list decides which
 * of them are still good.
 *
 * Functions that return false have failed; store_error() says why, for the
 * operator. They have then changed nothing, as far as can be known: when the
 * disk fails in the middle of a commit, it may turn out to have been one. */
#ifndef LONGROOM_STORE_H
#define LONGROOM_STORE_H

#include "config/settings.h"
#include "store/log.h"

struct store;

/* NULL, and *error says why, if store.url is of no known kind. Borrows
 * the settings. */
struct store *store_new(const struct store_settings *settings,
                        enum store_access access, struct buffer *error);
void store_free(struct store *store);

const char *store_error(const struct store *store);

/* Connects if it is not connected, and again if the database at its address is
 * another one by now. Every call below does so by itself. */
bool store_connect(struct store *store);

/* Looks without changing or making anything, and adds to *found what is there. False:
 * it is unusable, and the operator has been told why. For a process that has not
 * connected yet. */
bool store_is_worth_a_start(struct store *store, struct buffer *found);

/* Whether the last failure is one that no later try will mend: there is no
 * database and none can be made, or what is there is not ours. */
bool store_is_hopeless(const struct store *store);

/* Whether the last failure is that there is no log yet, in a place where this
 * process has seen none: a reader that was started first waits for one that
 * writes. */
bool store_is_awaited(const struct store *store);

/* Whether it is the address of a store; *error says why not. */
bool store_check_url(const char *url, struct buffer *error);

bool store_log_end(struct store *store, struct log_end *end);

/* The incarnations of the log, as of the moment of the last log_end that this
 * store has given, alone or with a page. Borrowed until its next call. */
const struct incarnations *store_incarnations(const struct store *store);

/* Begins an incarnation where the log ends, after an operator has put a backup in
 * place. Takes a store that writes and has not connected. Refused where there is no
 * log, or while another writer has it open. */
bool store_begin_incarnation(struct store *store, struct log_end *end);

/* Appends in the order given, in one transaction that is on disk when true is
 * returned. One that is refused takes no other along. */
bool store_append(struct store *store, struct append *appends, size_t count,
                  uint32_t *log);

/* Whether a message could be saved now: commits a change that nobody sees. */
bool store_probe(struct store *store);

/* Visits the addresses on which other processes publish what they save to this log
 * now, as far as that can be known. published: where this one does, NULL if it does
 * not; others see it from now on, for the life of the store. */
void store_visit_buses(struct store *store, const char *published,
                       store_visit_bus *visit, void *context);

/* For a writer's idle times: what keeping the log takes beside saving. */
void store_tend(struct store *store);

/* Reads a page of a room, oldest first, as of one moment. */
bool store_read_room(struct store *store, const struct room_name *room,
                     const struct store_range *range, store_visit *visit,
                     void *context, struct store_page *page);

/* Reads the states of rooms, as of one moment. */
bool store_read_states(struct store *store, const struct room_name *rooms,
                       size_t count, struct room_state *states,
                       struct log_end *end);

/* Tells which rooms were changed after change number `since` (log_end.changes),
 * at most so many, as of one moment: *upto is the number up to which it was
 * told. */
bool store_read_changes(struct store *store, int64_t since,
                        struct room_change *rooms, size_t most, size_t *count,
                        int64_t *upto, struct log_end *end);

bool store_read_one(struct store *store, const struct room_name *room,
                    int64_t id, store_visit *visit, void *context,
                    struct log_end *end, bool *found);

/* Reads the log after id, all rooms, as of one moment, until it ends, or limit
 * messages or that many bytes have come. */
bool store_read_log(struct store *store, int64_t id, int64_t limit,
                    int64_t bytes, store_visit *visit, void *context,
                    struct log_page *page);

/* Finds the id after which about so many bytes of the log's tail stand. */
bool store_find_tail(struct store *store, int64_t bytes, int64_t *id);

#endif
