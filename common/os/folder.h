/* The folder of a file: its lock and its sync. */
#ifndef LONGROOM_FOLDER_H
#define LONGROOM_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

/* A lock between processes, for work of several steps, such as: find that a file is
 * stale, remove it, and put another in its place. The lock ends with the process, so
 * a crashed process locks nobody out.
 *
 * Any process that may read the folder can hold the lock (flock(1)), so every wait
 * has a limit. After a second of waiting a log line names the folder.
 *
 * Fills *lock for folder_unlock(); -1: the folder does not exist, and nothing is
 * locked. False: another process has held the lock for patience_ms; *error names the
 * folder. */
bool folder_lock(const char *path, int64_t patience_ms, int *lock,
                 struct buffer *error);
void folder_unlock(int lock);

/* The patience_ms of a program that starts. */
enum { FOLDER_PATIENCE_MS = 10000 };

/* A file could not be created for the reason `why` (an errno). If its folder is
 * missing, adds to *error what to do about it. */
void folder_advise(const char *path, int why, struct buffer *error);

/* Syncs the folder of a path, so that the names of its files are on disk. False:
 * errno says why. Returns true also if syncing is not possible at all, because the
 * folder may not be read or the file system does not support it. */
bool folder_sync(const char *path);

#endif
