/* Side files that stand beside a database: whether they belong to it, and what
 * becomes of those of another one (wal.h says how that is known). SQLite would apply
 * them, and destroy both. */
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

/* Whether the WAL beside the database belongs to it. Opens the database as a file. */
enum side_files side_files_examine(const struct sqlite_paths *paths);

/* The database's first bytes, at most a page of the smallest size, as the WAL beside
 * it has them. False: it has none, or belongs to another. Opens the database as a
 * file. */
bool side_files_find_head(const struct sqlite_paths *paths, uint8_t *head,
                          size_t size);

/* The same as the first of an open database that has this head and this mark, and had the mark
 * `before` when it was looked at last: a file does not go back to an earlier one. */
enum side_files side_files_examine_open(const struct sqlite_paths *paths,
                                        const struct database_head *head,
                                        const struct mark *mark,
                                        struct life before);

/* Whether a rollback journal is there that SQLite would apply, and that is not
 * what our own change of the journal mode may have left: of a database that is
 * gone, one with pages in it. Opens the database as a file. */
bool side_files_have_foreign_journal(const struct sqlite_paths *paths);

enum check {
	CHECK_SOUND,
	CHECK_DAMAGED,
	CHECK_FAILED, /* it can't be read now */
};

/* Looks whether the database, with its WAL applied or without one, is sound all
 * through; reads all of it. Changes nothing. If it is not, *why says what is
 * wrong. */
enum check side_files_check_database(const struct sqlite_paths *paths,
                                     struct buffer *why);

/* A WAL that has something in it is set aside, an empty one is removed, and so is
 * the -shm, which has nothing but an index of the WAL. For when nobody has this
 * database open. False: it can't be done. */
bool side_files_set_aside(const struct sqlite_paths *paths, const char *why);

/* Brings a WAL back that was set aside and belongs to this database, which has
 * none. */
void side_files_bring_back(const struct sqlite_paths *paths);

#endif
