/* The side files beside a database: whether they belong to it, and what happens to
 * those of another database (wal.h says how that is known). SQLite would apply them,
 * and destroy both. */
#ifndef LONGROOM_SQLITE_SIDE_FILES_H
#define LONGROOM_SQLITE_SIDE_FILES_H

#include "base/buffer.h"
#include "store/sqlite/files.h"
#include "store/sqlite/wal.h"

enum side_files {
	SIDE_FILES_NONE,     /* nothing in them that SQLite would apply */
	SIDE_FILES_OURS,     /* they belong to this database */
	SIDE_FILES_FOREIGN,  /* they do not */
	SIDE_FILES_IN_DOUBT, /* it can't be told by a mark */
};

/* Whether the WAL beside the database belongs to it. Opens the database as a
 * file. */
enum side_files side_files_examine(const struct sqlite_paths *paths);

/* The database's first bytes, at most a page of the smallest size, as the WAL beside
 * it has them. False: it has none, or belongs to another. Opens the database as a
 * file. */
bool side_files_find_head(const struct sqlite_paths *paths, uint8_t *head,
                          size_t size);

/* Like side_files_examine(), for an open database that has this head and this mark,
 * and had the mark `before` at the last check: a file never returns to an earlier
 * mark. */
enum side_files side_files_examine_open(const struct sqlite_paths *paths,
                                        const struct database_head *head,
                                        const struct mark *mark,
                                        struct life before);

/* Whether there is a rollback journal that SQLite would apply, and that cannot have
 * been left by our own change of the journal mode. If the database is gone: whether
 * there is a journal with pages. Opens the database as a file. */
bool side_files_have_foreign_journal(const struct sqlite_paths *paths);

enum check {
	CHECK_SOUND,
	CHECK_DAMAGED,
	CHECK_FAILED, /* it can't be read now */
};

/* Checks the integrity of the database, with its WAL applied if there is one. Reads
 * all of it and changes nothing. If it is damaged, *why says how. */
enum check side_files_check_database(const struct sqlite_paths *paths,
                                     struct buffer *why);

/* Sets aside a WAL that is not empty, and removes an empty one. Also removes the
 * -shm, which is only an index of the WAL. Call it only while no process has the
 * database open. False: it failed. */
bool side_files_set_aside(const struct sqlite_paths *paths, const char *why);

/* Brings back a WAL that was set aside and belongs to this database, which has
 * none. */
void side_files_bring_back(const struct sqlite_paths *paths);

#endif
