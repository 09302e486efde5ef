/* One read of the log: the request and its result. The caller fills in the request
 * and passes it to the reader's thread (log_reader.h); it comes back with the
 * result. */
#ifndef LONGROOM_LOG_READ_H
#define LONGROOM_LOG_READ_H

#include "store/store.h"

struct feed;

enum log_read_kind {
	READ_TAIL, /* where the newest messages begin */
	READ_LOG,  /* all rooms after an id */
	READ_ROOM, /* a page of one room */
	READ_ROOMS, /* of several rooms after an id */
	READ_ALL,  /* the same for all rooms, for those who follow all */
	READ_STATES, /* where rooms begin */
	READ_CHANGES, /* which rooms other programs have changed */
};

/* A message, rendered. */
struct log_item {
	int64_t id;
	struct room_name room;
	size_t at, size; /* its JSON in log_read.json */
};

struct log_read {
	/* The request, filled in by the caller. */
	enum log_read_kind kind;
	int64_t held;             /* how far the asker holds the log: a log that
	                           * ends before is another one. READ_LOG reads
	                           * what comes after */
	int64_t starts;           /* hub.starts when a feed asked */
	int64_t bytes;            /* READ_TAIL: how many; READ_LOG: at most */
	struct store_range range; /* READ_ROOM, READ_ROOMS, READ_ALL */
	struct feed *feed;        /* READ_ROOM, READ_ROOMS, READ_ALL: in use until
	                           * the read is back, so its rooms' names stay */
	struct room_name *rooms;  /* READ_STATES; taken. READ_ROOM, READ_ROOMS: see
	                           * log_read_name_rooms() */
	size_t room_count;
	int64_t since; /* READ_CHANGES: the number of the last one known */
	void (*done)(void *context, struct log_read *read);
	bool again; /* READ_ROOM, READ_ROOMS, READ_ALL: done() sets it to be called
	             * again, by log_reader_go_on(), and clears it then */
	void *context;
	/* The result. */
	bool good;
	char error[STORE_ERROR_MAX]; /* if not good */
	bool is_awaited; /* ... and only because there is no log yet */
	struct log_end end;
	struct incarnations incarnations; /* READ_TAIL: of the log; they end
	                                   * with end.log */
	int64_t upto;           /* READ_TAIL: after here; READ_CHANGES: the last
	                         * change seen; otherwise up to here */
	bool more; /* READ_ROOM, READ_ROOMS, READ_ALL: in the direction of reading */
	struct room_state *states; /* READ_ROOM, READ_ROOMS, READ_STATES: one for
	                            * each of rooms. READ_ALL: one for all, with
	                            * `pruned` */
	struct room_gap *gaps; /* READ_ROOM, READ_ROOMS, READ_ALL: what was removed
	                        * between range.id and upto */
	size_t gap_count;
	struct room_change *changes; /* READ_CHANGES: up to change number upto */
	size_t change_count;
	struct log_item *items; /* oldest first */
	size_t item_count, item_capacity;
	struct buffer json;
	struct log_read *next; /* in the queue */
};

/* A new read, zeroed. */
struct log_read *log_read_new(enum log_read_kind kind);
void log_read_free(struct log_read *read);

/* Sets `rooms` to those of the feed. Called when the read begins: any number may wait
 * in the queue, each with as many rooms as a request may name. */
void log_read_name_rooms(struct log_read *read);

/* Adds an item, whose JSON the caller has added to read->json, from `at` to the
 * end. */
void log_read_add_item(struct log_read *read, int64_t id,
                       const struct room_name *room, size_t at);

#endif
