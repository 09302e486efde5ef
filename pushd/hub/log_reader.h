/* The thread that reads the log, so that a slow disk never stalls the event loop.
 * Reads start and come back on the loop's thread, in order, with one exception:
 * reads for a feed, of which clients may cause any number, let all other reads go
 * first, since all clients depend on those. */
#ifndef LONGROOM_LOG_READER_H
#define LONGROOM_LOG_READER_H

#include <ev.h>

#include "bus/bus_watch.h"
#include "hub/log_read.h"

struct log_reader;

/* Takes the store and the bus watch. */
struct log_reader *log_reader_start(struct ev_loop *loop, struct store *store,
                                    struct bus_watch *watch);

/* Ends the thread; reads that have not come back are dropped. */
void log_reader_stop(struct log_reader *reader);

/* Takes the read. done() is called with it on the loop's thread. The read is freed
 * when done() returns, unless done() has set `again`. */
void log_reader_ask(struct log_reader *reader, struct log_read *read);

/* Continues with the read that has set `again`, and those behind it. */
void log_reader_go_on(struct log_reader *reader);

#endif
