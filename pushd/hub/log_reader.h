/* The thread that reads the log, so that a slow disk never stalls the event
 * loop. Reads are asked for and come back on the loop's thread, in order,
 * but that those of one room, of which clients may want any number, let the others
 * go first: nobody is up to date without these. */
#ifndef LONGROOM_LOG_READER_H
#define LONGROOM_LOG_READER_H

#include <ev.h>

#include "bus/bus_watch.h"
#include "hub/log_read.h"

struct log_reader;

/* Takes the store, and what watches for writers that nobody hears. */
struct log_reader *log_reader_start(struct ev_loop *loop, struct store *store,
                                    struct bus_watch *watch);

/* Ends the thread; reads that have not come back are dropped. */
void log_reader_stop(struct log_reader *reader);

/* Takes the read. done() is called on the loop's thread with the read, which is
 * freed when it returns, unless that has set `again`. */
void log_reader_ask(struct log_reader *reader, struct log_read *read);

/* There is time for the read that has set `again`, and for those behind it. */
void log_reader_go_on(struct log_reader *reader);

#endif
