/* A place of a database, as known to this process: its connections there, and
 * whether one of them has found the database damaged.
 *
 * SQLite shares the -shm among a process's connections by the database's inode, and
 * POSIX locks do not exclude threads of one process. So the connections of a process
 * are made one after another, under one lock. A writer that lets go of a database
 * also disconnects all other connections of the process.
 *
 * The order of locks: the places', the folder's, the `use` of one store. A store
 * that is in use never waits for the places; one that is taken is skipped, and its
 * own thread waits for them. */
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

/* Disconnects all other stores of this place. Waits for reads under way. */
void sqlite_place_revoke(const struct sqlite_store *s);

/* Disconnects the other stores of this place whose files are no longer there. */
void sqlite_place_drop_stale(const struct sqlite_store *s);

/* From any thread, without the lock: records damage reported by SQLite. */
void sqlite_place_damage(struct sqlite_place *place, const char *why);

#endif
