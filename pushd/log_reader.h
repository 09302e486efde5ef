/* The thread that reads the log, so that a slow disk never stalls the event
 * loop. Reads are asked for and come back on the loop's thread, in order,
 * but that those of one room, of which clients may want any number, let the others
 * go first: nobody is up to date without these. */
#ifndef LONGROOM_LOG_READER_H
#define LONGROOM_LOG_READER_H

#include <ev.h>

#include "bus/bus_watch.h"
#include "store/store.h"

enum log_read_kind {
	READ_TAIL, /* where the newest messages begin */
	READ_LOG,  /* all rooms after an id */
	READ_ROOM, /* a page of one room */
	READ_STATES, /* where rooms begin */
	READ_CHANGES, /* which rooms were changed by others */
};

/* A message, rendered. */
struct log_item {
	int64_t id;
	struct room_name room;
	size_t at, size; /* its JSON in log_read.json */
};

struct log_read {
	/* What to read; filled in by who asks. */
	enum log_read_kind kind;
	int64_t held;             /* how far the asker holds the log: a log that
	                           * ends before is another one. READ_LOG reads
	                           * what comes after */
	int64_t bytes;            /* READ_TAIL: how many; READ_LOG: at most */
	struct room_name room;    /* READ_ROOM */
	struct store_range range; /* READ_ROOM */
	struct room_name *rooms;  /* READ_STATES; taken */
	size_t room_count;
	int64_t since; /* READ_CHANGES: the number of the last one known */
	void (*done)(void *context, struct log_read *read);
	bool again; /* READ_ROOM: set by done() to be called once more, by
	             * log_reader_go_on(); it is for done() to clear it then */
	void *context;
	/* What was found. */
	bool good;
	char error[STORE_ERROR_MAX]; /* if not good */
	bool is_awaited; /* ... and only because there is no log yet */
	struct log_end end;
	struct incarnations incarnations; /* READ_TAIL: of the log; they end
	                                   * with end.log */
	int64_t upto;           /* READ_TAIL: after here; READ_LOG: up to here;
	                         * READ_CHANGES: the last change seen */
	struct store_page page; /* READ_ROOM */
	struct room_state *states; /* READ_STATES: one for each of rooms */
	struct room_change *changes; /* READ_CHANGES: up to change number upto */
	size_t change_count;
	struct log_item *items; /* oldest first */
	size_t item_count, item_room;
	struct buffer json;
	struct log_read *next; /* in the queue */
};

struct log_reader;

/* Takes the store, and what watches for writers that nobody hears. */
struct log_reader *log_reader_start(struct ev_loop *loop, struct store *store,
                                    struct bus_watch *watch);

/* Ends the thread; reads that have not come back are dropped. */
void log_reader_stop(struct log_reader *reader);

/* A new read, zeroed; caller fills it in and hands it over. */
struct log_read *log_read_new(enum log_read_kind kind);

/* Takes the read. done() is called on the loop's thread with the read, which is
 * freed when it returns, unless that has set `again`. */
void log_reader_ask(struct log_reader *reader, struct log_read *read);

/* There is time for the read that has set `again`, and for those behind it. */
void log_reader_go_on(struct log_reader *reader);

#endif
