/* A lock that processes share by the folder of a file, for what takes more than
 * one step: to find that a file is dead, remove it and put another in its place.
 * It ends with the process, so nobody is locked out by the dead. */
#ifndef LONGROOM_FOLDER_H
#define LONGROOM_FOLDER_H

/* Waits for the lock on the folder of path. Returns what folder_unlock() takes;
 * -1: there is no such folder, and nothing is locked. */
int folder_lock(const char *path);
void folder_unlock(int lock);

#endif
