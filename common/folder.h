/* The folder of a file: its lock and its sync. */
#ifndef LONGROOM_FOLDER_H
#define LONGROOM_FOLDER_H

#include <stdbool.h>

/* A lock that processes share, for what takes more than one step: to find that
 * a file is dead, remove it and put another in its place. It ends with the
 * process, so nobody is locked out by the dead.
 *
 * Waits for the lock on the folder of path. Returns what folder_unlock() takes;
 * -1: there is no such folder, and nothing is locked. */
int folder_lock(const char *path);
void folder_unlock(int lock);

/* Has the names of the files in the folder of path on disk. False, and errno
 * says why; true where it can't be done at all, for the folder may not be read
 * or its file system has no such thing. */
bool folder_sync(const char *path);

#endif
