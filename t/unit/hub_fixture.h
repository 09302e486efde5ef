/* A hub that follows a log, and its clients. The log is an array, and a read of it
 * has two steps, so that a test can act between the read and its delivery. No thread,
 * no loop, no socket. */
#ifndef LONGROOM_HUB_FIXTURE_H
#define LONGROOM_HUB_FIXTURE_H

#include "unit.h"

#include "hub/hub.h"

enum {
	LOG = 0x5f3a9c01,
	OTHER_LOG = 0x0badcafe,
	WINDOW_BYTES = 1 << 20,
	MESSAGES_MAX = 4096,
	CLIENTS = 12,
};

/* ---- A log ---- */

struct saved {
	struct room_name room;
	bool removed;
	bool foreign;     /* it has a place in a page, but can't be given */
	int version;      /* other programs have changed it as often */
	int64_t position; /* in the hub's window; 0: it was not appended */
};

struct log_reader {
	uint32_t log;
	struct saved messages[MESSAGES_MAX]; /* message 1 is at 0 */
	int64_t newest;
	bool failing;
	int64_t page_most; /* messages of a page; 0: as many as are asked for */
	struct log_read *first, **last; /* requested, and not delivered */
	int asked;                      /* reads so far */
	int again;                      /* ... that were not finished at once */
	const struct log_read *given;   /* being delivered; or NULL */
};

/* The JSON of a message, which has its id as its name, or id.version. Borrowed until
 * the next call. */
struct text name_message(const struct log_reader *reader, int64_t id);
/* Of a room as it now is. */
struct room_state state_of(const struct log_reader *reader,
                           const struct room_name *room);

/* Executes the next read, as of now. */
void perform_next(struct log_reader *reader);
/* Delivers one. Returns false if there was none to deliver. */
bool give_back(struct log_reader *reader);

/* ---- A client that polls ---- */

struct client {
	struct waiter waiter;
	char room[128]; /* or rooms, as asked for */
	const char *forbidden; /* ... too; JSON strings; NULL: none */
	int answers;
	struct delivery *delivery; /* the last one; NULL: it was refused */
	int status; /* 200, or what the problem makes of it */
	/* What the delivery says: */
	char *cursor;
	struct buffer names; /* of the messages: "3 4 u1 " */
	int64_t count;
	bool more, gap, reset;
	int64_t retry_ms; /* 0: absent */
	/* Called with every answer, unless NULL. */
	void (*then)(struct client *client);
	struct fixture *fixture;
};

struct fixture {
	struct hub hub;
	struct log_reader log;
	struct client clients[CLIENTS];
	int64_t looks;      /* ended */
	bool looking;       /* one is under way, and saw the log up to ... */
	int64_t look_saw;   /* ... here */
	int wanted;         /* looks */
	int unsaved;        /* messages so far */
};

struct client *client_of(struct fixture *f, int which);
void forget_answer(struct client *c);

/* Polls as a request with this `after`, or from now on. Rooms have commas between
 * them. */
void ask(struct client *c, const char *rooms, const char *after);
/* Returns the feed of these rooms, held; as in hub_hold_feed(). */
struct feed *hold(struct fixture *f, const char *rooms, const char *forbidden);
/* Asks with the cursor that the client has. */
void ask_for(struct client *c, const char *rooms);
/* Asks with the cursor of the last answer. */
void ask_again(struct client *c);
/* With a cursor that is not of this log: the next log check says so. */
void ask_lost(struct client *c, const char *room, const char *after);
/* Makes a client wait, from now on. */
struct client *park(struct fixture *f, int which, const char *rooms);

#define assert_got(client, number, expected)                                   \
	do {                                                                   \
		expect((client)->answers == (number), "%d answers",            \
		       (client)->answers);                                     \
		assert_int_equal((client)->status, 200);                       \
		assert_text(buffer_text(&(client)->names), expected);          \
	} while (0)

#define assert_state(client, expected)                                         \
	assert_int_equal((client)->waiter.state, expected)

/* 0: there is none. */
int64_t earliest_of(const struct client *c);

/* ---- Feeding the hub as follower.c does ---- */

/* A check of the log. */
void begin_look(struct fixture *f);
void end_look(struct fixture *f);
void look(struct fixture *f);

/* Into the log only: the bus lost it. Returns its id. */
int64_t save(struct fixture *f, const char *room);
/* Into the log, and at once to the hub, which must hold everything before. */
int64_t say(struct fixture *f, const char *room);
void say_many(struct fixture *f, const char *room, int count);
/* Into no log: "u1", "u2" and so on. */
void append_unsaved(struct fixture *f, const char *room);
void say_unsaved(struct fixture *f, const char *room);
/* The same with "store":false, and the next number. */
void append_signal(struct fixture *f, const char *room);
void say_signal(struct fixture *f, const char *room);

/* Evicts the log's messages up to an id from the window. */
void drop_window(struct fixture *f);
/* Tells the hub that a room was changed, as the log now is. */
void tell_change(struct fixture *f, const char *room, bool edited);
/* Delivers all reads. */
void run_reads(struct fixture *f);
/* The log becomes another one with this many messages in a room. */
void replace_log(struct fixture *f, uint32_t log, int count, const char *room);

/* ---- Each test has a hub that follows an empty log ---- */

int set_up_hub(void **state);
/* Before the first log check. */
int set_up_early_hub(void **state);
int tear_down_hub(void **state);

#define WITH_HUB(title, function)                                              \
	TEST_WITH(title, function, set_up_hub, tear_down_hub, NULL)
#define WITH_EARLY_HUB(title, function)                                        \
	TEST_WITH(title, function, set_up_early_hub, tear_down_hub, NULL)

#endif
