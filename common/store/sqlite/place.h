/* What this process knows of a place where a database is: the connections that
 * it has there, and whether one of them has found the database damaged.
 *
 * SQLite shares the -shm among the connections of a process by the database's
 * inode, and POSIX locks do not keep one thread from another. So connections of
 * a process are made one after the other, under one lock, and a writer that lets
 * go of a database takes all others of the process from it as well.
 *
 * The order of locks: the places', the folder's, the `use` of one store. A store
 * that is in use never waits for the places; one that is taken is skipped, and
 * its own thread waits for them. */
#ifndef LONGROOM_SQLITE_PLACE_H
#define LONGROOM_SQLITE_PLACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/sqlite/private.h"

struct sqlite_place {
	char *path;
	struct sqlite_place *next;
	struct sqlite_store *first; /* of those at this place */
	atomic_int writers;         /* among them */
	bool had_log;               /* this process has had a log open here */
	/* SQLite has said that what is there is damaged or no database, or it was
	 * written over: nothing is saved until it has passed a check. */
	atomic_bool is_damaged;
	char damage[200];
	struct file_look checked; /* as it was when it was last looked at for that */
	int64_t checked_since_ms; /* ... and has been since; monotonic */
	int64_t failed_ms;        /* when it last failed the check; 0: it has not */
};

void sqlite_places_lock(void);
void sqlite_places_unlock(void);

/* Both take the places' lock. */
void sqlite_place_join(struct sqlite_store *s);
void sqlite_place_leave(struct sqlite_store *s);

/* The rest needs that lock, and no `use`. The caller's store is taken. */

/* Whether another store of this place is connected to this file; NULL: to any. */
bool sqlite_place_is_connected(const struct sqlite_store *s,
                               const struct file_look *database);

/* Disconnects all others of this place; waits for reads under way. */
void sqlite_place_revoke(const struct sqlite_store *s);

/* Has those of them let go whose files are no longer in their place. */
void sqlite_place_drop_stale(const struct sqlite_store *s);

/* From any thread, without the lock: what SQLite has said of it. */
void sqlite_place_damage(struct sqlite_place *place, const char *why);

#endif
