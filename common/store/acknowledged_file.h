/* The file beside a database that says how far its log was acknowledged
 * (acknowledged.h): the database's name with "-acknowledged" behind it. It is also
 * where processes that write to the log show that they do.
 *
 * The file is for the database's user and group. Locks on parts of it belong to
 * the descriptor (F_OFD_SETLK), and so end with the process.
 *
 * It is written after the commit and before the answer, and not synced: a power
 * cut may leave it behind the log, and then it says less than it could, but it is
 * never ahead of a log that is whole. */
#ifndef LONGROOM_ACKNOWLEDGED_FILE_H
#define LONGROOM_ACKNOWLEDGED_FILE_H

#include "codec/acknowledged.h"

struct acknowledged_file;

/* Reads the record of a database. False: there is none. */
bool acknowledged_file_read(const char *database, struct acknowledged *record);

/* Opens the file, and makes it if need be. Returns, caller closes; one that can't be
 * had is told to the operator, and tried for again when it is written. */
struct acknowledged_file *acknowledged_file_open(const char *database);
void acknowledged_file_close(struct acknowledged_file *file);

/* Whether it could be opened. */
bool acknowledged_file_is_there(const struct acknowledged_file *file);

/* Shows that this process writes to the log, until the file is closed. */
void acknowledged_file_hold(struct acknowledged_file *file);

/* True: nobody holds it, and nobody will until it is closed. */
bool acknowledged_file_claim(struct acknowledged_file *file);

/* Writes down how far the log, with these incarnations (or NULL, as above), was
 * acknowledged, unless what is there is further on. If it can't, the operator is
 * told, once. */
void acknowledged_file_raise(struct acknowledged_file *file,
                             const struct acknowledged *now,
                             const struct incarnations *list);

#endif
