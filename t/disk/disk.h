/* A disk as a power cut leaves it: takes the operations that faulty_disk.so
 * recorded, one by one, and says which files would be there with which bytes.
 *
 * What it models. A write is in memory until its file is synced; synced data
 * stays. Any part of unsynced data may be on disk or not, in any order: a write
 * is torn at sectors of 512 bytes; a file may have its new length, with zeros
 * in place of the bytes. A name that was created or removed is not so on disk
 * before the folder is synced, whether or not its file is. After a failed sync,
 * its data is lost to the disk, though the program still reads it, and later
 * successful syncs do not save it unless it is written again (as on Linux:
 * "fsyncgate"). SQLite's -shm is never synced: it holds noise, if its name is
 * there at all.
 *
 * What it does not model. Sectors that are neither old nor new, or change when
 * another is written; a disk that lies about a sync: SQLite is not made to
 * survive these. Names differ from bytes after a failed sync: a later one saves
 * them. */
#ifndef LONGROOM_DISK_H
#define LONGROOM_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "trace.h"

struct disk;

struct disk *disk_new(void);
void disk_free(struct disk *disk);

/* The record at *at of a trace, and its bytes; moves *at behind it. False: the
 * trace has ended. */
bool trace_next(struct text trace, size_t *at, struct trace_record *record,
                struct text *bytes);

/* Performs the operation. Copies the bytes. */
void disk_apply(struct disk *disk, const struct trace_record *record,
                struct text bytes);

/* How often the data that is certainly on disk has changed. */
uint64_t disk_version(const struct disk *disk);

/* Writes into an empty folder the files as they are after a power cut now.
 * Seed 0: no unsynced data is there. Otherwise the seed decides which is. */
void disk_leave(const struct disk *disk, uint64_t seed, const char *folder);

#endif
