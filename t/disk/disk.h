/* A disk as the power cut leaves it: takes the operations that faulty_disk.so
 * wrote down, one by one, and says which files would be there with which bytes.
 *
 * What it models. A write is in memory until its file is synced; what is synced
 * stays. Of what is not, any part may be on disk or not, whatever its order: a
 * write is torn at sectors of 512 bytes; a file may have got its new length with
 * zeros in place of the bytes. That a name was made or removed
 * is not on disk before the folder is synced, be its file synced or not. After
 * a sync that failed, what it was to save is lost to the disk, though the
 * program goes on reading it, and later syncs that succeed do not save it
 * unless it is written again (as Linux does: "fsyncgate"). SQLite's -shm is never
 * synced: it holds noise, if its name is there at all.
 *
 * What it does not. Sectors that are neither old nor new, or change when another
 * is written; a disk that says synced and has not: SQLite is not made to survive
 * these. Names differ from bytes after a failed sync: a later one saves them. */
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

/* Has the operation happen. Copies the bytes. */
void disk_apply(struct disk *disk, const struct trace_record *record,
                struct text bytes);

/* How often what is on disk for certain has changed. */
uint64_t disk_version(const struct disk *disk);

/* Writes into an empty folder the files as they are after a power cut now.
 * Seed 0: nothing that is not synced is there. Otherwise the seed draws what
 * is. */
void disk_leave(const struct disk *disk, uint64_t seed, const char *folder);

#endif
