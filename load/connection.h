/* An HTTP connection with one request at a time, and the loop that drives all
 * connections.
 *
 * A connection that waits for its answer holds no buffers: requests are sent from
 * the caller's memory, answers are read into one buffer that all share. Only what
 * does not fit at once (a large answer, a full socket) is kept aside.
 *
 * An answer may be an event stream. Its owner gets it as it comes, and the connection
 * keeps at most an event that is not complete.
 *
 * A connection that fails is closed, and its owner is told. The owner decides
 * whether to try again, and with what. */
#ifndef LONGROOM_LOAD_CONNECTION_H
#define LONGROOM_LOAD_CONNECTION_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer.h"
#include "chunks.h"
#include "target.h"
#include "timer.h"

enum connection_state {
	CONNECTION_CLOSED,
	CONNECTION_OPENING,
	CONNECTION_IDLE,
	CONNECTION_ASKED,
	CONNECTION_STREAMING,
};

enum failure {
	FAILED_CONNECT,  /* nothing was sent */
	FAILED_BROKEN,   /* it ended before the answer did */
	FAILED_SILENT,   /* no answer, or nothing more of a stream, in time */
	FAILED_NOT_HTTP, /* the answer can't be read */
	FAILURE_KINDS,
};

struct network;
struct connection;

struct connection_events {
	/* It is IDLE: the owner may send a request. */
	void (*ready)(struct connection *connection);
	/* The answer is valid during the call. The connection is IDLE, or CLOSED if
	 * the peer closes it. */
	void (*answered)(struct connection *connection,
	                 const struct answer *answer);
	/* More of a stream: its body from the first byte that was not taken before.
	 * Returns how many bytes are taken; may change them, and must not close the
	 * connection. NULL: a stream is no answer here. */
	size_t (*streamed)(struct connection *connection, char *data,
	                   size_t size);
	/* The stream is complete. The connection is IDLE or CLOSED. */
	void (*ended)(struct connection *connection);
	/* It is CLOSED. */
	void (*failed)(struct connection *connection, enum failure failure);
};

/* Must stay where it is: timers and epoll point to it. */
struct connection {
	struct timer timer; /* first: the loop finds the connection by it */
	struct network *network;
	const struct connection_events *events;
	const struct target *target;
	char *held;   /* the part of an answer that has come, or what was not taken
	               * of a stream; NULL: none */
	char *unsent; /* the part of a request that has not gone; NULL: none */
	uint32_t held_size, held_room, unsent_size, unsent_at;
	int fd;
	uint32_t source; /* which address it comes from; see target_connect */
	uint8_t state;   /* enum connection_state */
	uint8_t tries;   /* since it last worked */
	bool chunked;    /* the stream is */
	bool closes;     /* ... and nothing comes behind it */
	struct chunks chunks;
	int64_t timeout_ns; /* of the request; of a stream, how long it may be silent */
};

struct network {
	int epoll;
	struct timer_wheel wheel;
	int64_t now_ns; /* when the answer, or the timer, at hand came up */
	uint64_t random;
	uint32_t sources; /* addresses to come from; 0: any */
	uint32_t next_source;
	char *buffer;
	uint64_t opened;
	uint64_t failures[FAILURE_KINDS];
	int last_errno; /* of a connection that could not be made or broke; or 0 */
};

/* False with errno. seed: of the back-off's jitter; not 0. */
bool network_init(struct network *network, uint32_t sources, uint64_t seed);
void network_release(struct network *network);

/* Waits for the next events, until a timer's tick or until_ns, and handles them.
 * `mask` is the signal mask while it waits. */
void network_turn(struct network *network, int64_t until_ns,
                  const sigset_t *mask);

void connection_init(struct connection *connection, struct network *network,
                     const struct connection_events *events,
                     const struct target *target);

/* Drops a pending answer and any wait. The connection can be used again. */
void connection_close(struct connection *connection);

/* Calls ready() when a request can be sent: at once if the connection is IDLE. */
void connection_want(struct connection *connection);

/* The same after a time. */
void connection_want_in(struct connection *connection, int64_t ns);

/* The same after a short, random wait that grows with each try. */
void connection_want_later(struct connection *connection);

/* Sends a request; it must be IDLE. answered() or failed() follows, or, for a
 * stream, streamed() many times and then ended() or failed(); never during the
 * call. */
void connection_ask(struct connection *connection, const char *request,
                    size_t size, int64_t timeout_ns);

#endif
