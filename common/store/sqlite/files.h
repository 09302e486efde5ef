/* The files of an SQLite database, handled as files: whether they are still the ones
 * that were opened, which process has them open, and setting side files aside. Of
 * SQLite it knows only file names and the place of locks.
 *
 * Closing a descriptor drops all locks that the process has on the file (POSIX),
 * including SQLite's. So functions that open a file may be called only while the
 * process has no connection to the database. */
#ifndef LONGROOM_SQLITE_FILES_H
#define LONGROOM_SQLITE_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct sqlite_paths {
	char *database, *wal, *shm, *journal;
};

/* Follows symbolic links, since SQLite keeps the side files beside a link's target.
 * {0} has no paths yet; old paths are released. */
void sqlite_paths_find(struct sqlite_paths *paths, const char *database);
void sqlite_paths_release(struct sqlite_paths *paths);

/* The result of stat() for a path. */
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

/* Returns the other process that has it open with SQLite; 0: none. Opens the
 * file. */
pid_t file_database_holder(const char *path);
pid_t file_shm_holder(const char *path);

/* Renames it by adding .aside-<tag> and, if necessary, a number, and logs that.
 * False: it can't be renamed, which is logged too. */
bool file_set_aside(const char *path, const char *tag, const char *why);

/* Gives our own side files the mode of the database. SQLite does so only when it
 * creates them. */
void sqlite_paths_mend_modes(const struct sqlite_paths *paths);

#endif
