/* A file beside a database: its name is the database's with a suffix behind.
 *
 * It is for the database's user and group. Locks on bytes of it belong to the
 * descriptor (F_OFD_SETLK), and so end with the process. */
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

/* Not open yet. */
void beside_init(struct beside *file, const char *database, const char *suffix);
void beside_release(struct beside *file);

/* Opens it, and makes it if need be; what was open is closed. False: errno says
 * why. */
bool beside_open(struct beside *file);
/* The same, to read, if it is there. */
bool beside_open_to_read(struct beside *file);
void beside_close(struct beside *file);

/* Whether what is open still has its name: it may have been removed, or another put
 * in its place. */
bool beside_is_in_place(const struct beside *file);

/* Locks a byte (F_RDLCK, F_WRLCK), or lets go of it (F_UNLCK). Does not wait. */
bool beside_lock(const struct beside *file, short kind, off_t at);
/* Whether somebody else has locked the byte by F_WRLCK. */
bool beside_is_locked(const struct beside *file, off_t at);

#endif
