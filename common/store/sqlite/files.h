/* The files of an SQLite database, as files: whether they are still those that
 * were opened, which process has them open, and how a side file is set aside. Knows
 * nothing of SQLite but the names and where it puts its locks.
 *
 * A descriptor that is closed takes all locks of the process on its file along
 * (POSIX), SQLite's too. So what opens a file here may only be called while the
 * process has no connection to it. */
#ifndef LONGROOM_SQLITE_FILES_H
#define LONGROOM_SQLITE_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct sqlite_paths {
	char *database, *wal, *shm, *journal;
};

/* Of a symbolic link SQLite keeps the side files where it leads to. {0} is none
 * yet; what was there is released. */
void sqlite_paths_find(struct sqlite_paths *paths, const char *database);
void sqlite_paths_release(struct sqlite_paths *paths);

/* What stat() says of a path. */
struct file_look {
	bool is_there;
	dev_t device;
	ino_t inode;
	int64_t bytes;
	struct timespec modified, changed;
};

struct file_look file_look_at(const char *path);
/* Whether both looks saw the same file, or none. */
bool file_is_same(const struct file_look *a, const struct file_look *b);
/* ... and it has not been written to between them. */
bool file_is_untouched(const struct file_look *a, const struct file_look *b);

/* Which other process has it open by SQLite; 0: none has. Opens the file. */
pid_t file_database_holder(const char *path);
pid_t file_shm_holder(const char *path);

/* Renames it, to itself with .aside-<tag> and perhaps a number behind, and tells
 * the operator. False: it can't be, which is told too. */
bool file_set_aside(const char *path, const char *tag, const char *why);

/* Has the side files that are ours writable by those that the database is
 * writable by: SQLite gives them its mode only when it makes them. */
void sqlite_paths_mend_modes(const struct sqlite_paths *paths);

#endif
