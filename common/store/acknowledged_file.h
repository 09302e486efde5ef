/* The file beside a database that records how far its log was acknowledged
 * (acknowledged.h): the database's name followed by "-acknowledged". Processes that
 * write to the log also show this by locks on the file.
 *
 * The file is for the database's user and group. Locks on parts of it belong to the
 * descriptor (F_OFD_SETLK), so they end with the process.
 *
 * It is written after the commit and before the answer, and not synced. After a
 * power cut it may be behind the log, but it is never ahead of a log that is
 * complete. */
#ifndef LONGROOM_ACKNOWLEDGED_FILE_H
#define LONGROOM_ACKNOWLEDGED_FILE_H

#include "codec/acknowledged.h"

struct acknowledged_file;

/* Reads the record of a database. False: there is none. */
bool acknowledged_file_read(const char *database, struct acknowledged *record);

/* Opens the file, and creates it if necessary. Returns, caller closes. A failure is
 * logged, and opening is tried again at the next write. */
struct acknowledged_file *acknowledged_file_open(const char *database);
void acknowledged_file_close(struct acknowledged_file *file);

/* Whether it could be opened. */
bool acknowledged_file_is_there(const struct acknowledged_file *file);

/* Shows that this process writes to the log, until the file is closed. */
void acknowledged_file_hold(struct acknowledged_file *file);

/* Claims the log for this process alone, until the file is closed. False: another
 * process writes to it. */
bool acknowledged_file_claim(struct acknowledged_file *file);

/* Records how far the log with these incarnations (NULL: see acknowledged.h) was
 * acknowledged, unless the record is further on. A failure is logged once. */
void acknowledged_file_raise(struct acknowledged_file *file,
                             const struct acknowledged *now,
                             const struct incarnations *list);

#endif
