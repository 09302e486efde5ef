/* The types of the log's interface, shared by its callers (store.h) and its
 * back-ends (store_backend.h). */
#ifndef LONGROOM_LOG_H
#define LONGROOM_LOG_H

#include "codec/incarnations.h"
#include "codec/message.h"

enum store_access {
	STORE_READ,
	STORE_WRITE, /* creates the database where there is none, and updates
	              * an older one */
};

/* The prospects of a store at its address. */
enum store_prospect {
	STORE_USABLE,   /* a log, or a place where one can begin */
	STORE_UNSURE,   /* not now, but that may pass, such as a missing disk */
	STORE_UNUSABLE, /* retrying cannot help: not a log, or no access */
};

enum { STORE_ERROR_MAX = 640 }; /* bytes, a path included */

/* Where the log ends. */
struct log_end {
	uint32_t log;   /* the tag of its newest incarnation */
	int64_t newest; /* the highest id ever given out; 0: none yet */
	int64_t changes; /* grows when messages are changed or removed, by SQL */
	int64_t upheavals; /* changes whose place is not known; also in changes */
};

enum append_outcome {
	APPEND_SAVED,
	APPEND_REPEATED, /* the sender has used this client_id, with this content */
	APPEND_CONFLICT, /* ... with another content */
	APPEND_REFUSED,  /* the database takes other messages, but not this one:
	                  * another program's row, trigger or index prevents it */
};

struct append {
	struct message *message; /* gets its id, or the first message's id if
	                          * APPEND_REPEATED */
	enum append_outcome outcome;
	char why[120]; /* APPEND_REFUSED */
};

/* Called for each message, which is valid during the call. */
typedef void store_visit(void *context, const struct message *message);

/* Called for each address of a bus. */
typedef void store_visit_bus(void *context, const char *address);

enum store_direction { STORE_NEWEST, STORE_BEFORE, STORE_AFTER };

struct store_range {
	enum store_direction direction;
	int64_t id;    /* for BEFORE and AFTER */
	int64_t limit; /* messages, at least 1 */
	int64_t bytes; /* of JSON, at which the page ends; 0: no limit */
};

/* Where a room begins. */
struct room_state {
	int64_t earliest; /* the room's oldest id; 0: it is empty */
	int64_t pruned;   /* the highest id that was ever removed from the room;
	                   * 0: none */
};

/* A room of which messages were changed or removed. */
struct room_change {
	struct room_name room;
	struct room_state state;
	bool edited; /* not only its oldest messages were removed */
};

struct store_page {
	struct log_end end;
	struct room_state state;
	int64_t first, last;   /* of the page; 0: it is empty */
	int64_t count;         /* including skipped rows */
	bool more;             /* in the direction of reading */
	int64_t removed; /* AFTER: the highest id removed from the room up to where
	                  * the page ends; 0: none. A reader whose position is
	                  * below it misses messages that were there */
};

struct log_page {
	struct log_end end;
	int64_t upto; /* the log was read completely up to this id */
};

/* A page of several rooms, or of all, in the order of the log. */
struct rooms_page {
	struct log_end end;
	int64_t upto; /* the rooms were read completely up to this id; end.newest
	               * unless `more` */
	bool more;    /* the read was cut before the log's end */
	struct room_state *states; /* places that the caller provides, one for each
	                            * room; {0}: there is no such room */
};

/* A room of which messages were removed. */
struct room_gap {
	struct room_name room;
	int64_t removed; /* the highest id that was ever removed from it */
};

/* Of all rooms: what was removed between the ends of a page. */
struct rooms_gaps {
	struct room_gap *gaps; /* places that the caller provides ... */
	size_t most;           /* ... so many, at least 1 */
	size_t count;
	int64_t pruned; /* the highest id ever removed from any room; 0: none */
};

/* The error when log_end.newest is the highest number: no message can be saved any
 * more. */
extern const char store_no_id_left[];

#endif
