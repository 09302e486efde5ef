/* All connections of longroom-pushd: accepts them, watches their deadlines,
 * counts them, ends them. */
#ifndef LONGROOM_SERVER_H
#define LONGROOM_SERVER_H

#include "base/complaint.h"
#include "connection.h"
#include "hub/hub.h"
#include "os/endpoint.h"
#include "loop/poller.h"
#include "request_memo.h"
#include "loop/turn.h"

/* What a deadline is for, and so how long the patience is. */
enum deadline_kind {
	DEADLINE_IDLE,
	DEADLINE_HEAD,
	DEADLINE_VERIFY, /* a token whose turn to be verified has to come */
	DEADLINE_WRITE,
	DEADLINE_LINGER,
	DEADLINE_DRAIN,   /* a request that has not come whole when we end */
	DEADLINE_OVERDUE, /* a poll whose read of the log isn't back in time */
	DEADLINE_POLL,    /* and up to DEADLINE_POLL + POLL_MAX_SECONDS */
	DEADLINE_KINDS = DEADLINE_POLL + POLL_MAX_SECONDS + 1
};

struct listener {
	struct ev_io io;
	struct endpoint endpoint;
};

struct server {
	struct ev_loop *loop;
	const struct settings *settings;
	struct hub *hub;
	struct listener *listeners;
	size_t listener_count;
	struct list connections; /* struct connection */
	struct list dead;
	struct list put_off;   /* struct connection, each with more to do */
	int64_t write_left; /* bytes of long answers, of the share */
	size_t count;          /* of those that are open */
	size_t limit, surplus; /* more than limit are refused, and more than
	                        * limit + surplus not accepted */
	struct poller poller;
	struct access *access;
	struct verifier *verifier; /* NULL: the mode has no tokens */
	struct users users;
	struct text *headers; /* for all (no origin, or not listed), then for each
	                       * of auth.origins */
	struct buffer spare;  /* memory for the next request's head */
	struct request_memo memo;
	struct unread unread;
	int64_t now_ms; /* monotonic, as of the beginning of the loop's turn */
	int64_t wall_ms;  /* the same moment */
	int64_t ahead_ms; /* by so much the wall clock was when it was heeded */
	struct deadlines deadlines;
	int64_t patience_ms[DEADLINE_KINDS];
	struct ev_check turn;
	struct ev_timer ticks;
	struct ev_timer accept_again;
	struct ev_prepare ending; /* of a turn */
	struct ev_timer share; /* the next of what is long */
	struct complaint about_accepting, about_unread, about_verifying,
		about_watching;
	bool accepting;
	bool draining;
};

/* How many files have to be open at the same time, with one connection. */
size_t server_least_descriptors(void);

/* Listens on the sockets that were handed over (inherited.h), or, if there are
 * none, on all addresses of settings.push.listen. False: *error says why not;
 * the server can be released all the same. Borrows the rest. */
bool server_init(struct server *server, struct ev_loop *loop,
                 const struct settings *settings, size_t inherited,
                 struct hub *hub, struct access *access, struct buffer *error);
void server_release(struct server *server);

/* Makes ready for other settings, which the caller then puts in the place of
 * those that the server borrows. Takes their keys (access.h). False: they can't
 * be, *error says why, and nothing has changed. */
bool server_change_settings(struct server *server, const struct settings *fresh,
                            struct keyring *keyring, struct buffer *error);

/* Stops listening, answers all who wait, and breaks the loop when all have read
 * their answers, or limits.write_timeout has passed. Who has connected is not
 * turned away: what has been asked, or is being asked, is answered; the backlog
 * of a socket that was handed over is left to whoever has it next. */
void server_drain(struct server *server);

/* Does the next share of what is long (turn.h). True: there is more. */
bool server_go_on(struct server *server);

/* What answers to a page of this origin have beside their own headers; lives as
 * long as the server. */
const struct text *server_headers(const struct server *server,
                                  struct text origin);

/* The beginning of the loop's turn, by both clocks. */
struct moment server_now(const struct server *server);

/* (Re)starts the connection's deadline. */
void server_set_deadline(struct server *server, struct connection *c,
                         enum deadline_kind kind);

#endif
