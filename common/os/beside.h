/* A file beside a database: its name is the database's name with a suffix.
 *
 * It belongs to the database's user and group. Locks on its bytes belong to the
 * descriptor (F_OFD_SETLK), so they end with the process. */
#ifndef LONGROOM_BESIDE_H
#define LONGROOM_BESIDE_H

#include <stdbool.h>
#include <sys/types.h>

struct beside {
	char *database, *path;
	int fd; /* -1: not open */
	dev_t device;
	ino_t inode;
};

/* Returns the path of such a file, caller frees. */
char *beside_path(const char *database, const char *suffix);

/* Prepares one that is not open yet. */
void beside_init(struct beside *file, const char *database, const char *suffix);
void beside_release(struct beside *file);

/* Opens the file, creating it if it does not exist, and closes what was open before.
 * False: errno says why. */
bool beside_open(struct beside *file);
/* Opens it for reading, if it exists. */
bool beside_open_to_read(struct beside *file);

/* Whether the open file still has its name: it may have been removed or replaced. */
bool beside_is_in_place(const struct beside *file);

/* Locks a byte (F_RDLCK, F_WRLCK), or unlocks it (F_UNLCK). Does not wait. */
bool beside_lock(const struct beside *file, short kind, off_t at);
/* Whether another process has a write lock (F_WRLCK) on the byte. */
bool beside_is_locked(const struct beside *file, off_t at);

#endif
