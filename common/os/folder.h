/* The folder of a file: its lock and its sync. */
#ifndef LONGROOM_FOLDER_H
#define LONGROOM_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

/* A lock that processes share, for what takes more than one step: to find that
 * a file is dead, remove it and put another in its place. It ends with the
 * process, so nobody is locked out by the dead.
 *
 * Anybody who may read the folder can hold it (flock(1)), so it is never waited
 * for without an end. After a second the log names the folder.
 *
 * Fills in *lock for folder_unlock(); -1: there is no such folder, and nothing is
 * locked. False: another process has kept it for patience_ms; *error names the
 * folder. */
bool folder_lock(const char *path, int64_t patience_ms, int *lock,
                 struct buffer *error);
void folder_unlock(int lock);

/* The patience of a program that starts. */
enum { FOLDER_PATIENCE_MS = 10000 };

/* Adds to *error what to do about a file that couldn't be made, if `why` (an
 * errno) is that its folder is not there. */
void folder_advise(const char *path, int why, struct buffer *error);

/* Has the names of the files in the folder of path on disk. False, and errno
 * says why; true where it can't be done at all, for the folder may not be read
 * or its file system has no such thing. */
bool folder_sync(const char *path);

#endif
