/* The peers: the other longroom-pushd that tell who is here, and what this one tells
 * them. No I/O; the times are monotonic milliseconds.
 *
 * Each process has an epoch, drawn at random. Once a second it sends one frame or
 * several (presence_frame.h): what has changed, then a tenth of all who are here, and
 * how many anonymous each room has; if there is nothing, an empty frame. So a change is
 * told within a second or two, and everything again within 10 s. Beyond
 * PEERS_ANONYMOUS_AT_ONCE rooms with anonymous, the counts too are repeated within
 * 10 s. When a new peer is heard, everything is said at once, at most every
 * PEERS_ALL_MS.
 *
 * Frames may be lost, come twice or in another order: each statement means the same
 * alone, and whatever is not repeated is forgotten. What a peer said of a user holds
 * for PEERS_FORGET_MS. Its anonymous are forgotten once it was silent for
 * PEERS_SILENT_MS: they come back elsewhere, and nobody could tell that they are the
 * same. Those of a peer that says that it ends are forgotten at once, and its users
 * PEERS_RETURN_MS later. A process that is started again has a new epoch, so it is
 * another peer; users are in the roster once, however many peers know them.
 *
 * All work is done in pieces: a frame is one, and so is PEERS_FORGET_AT_ONCE. */
#ifndef LONGROOM_PEERS_H
#define LONGROOM_PEERS_H

#include "presence/roster.h"

enum {
	PEERS_MAX = ROSTER_SOURCES - 1,
	PEERS_SECOND_MS = 1000,
	PEERS_PAUSE_MS = 5, /* between the pieces of a second's work */
	PEERS_ALL_MS = 10000,
	PEERS_SILENT_MS = 3000,
	PEERS_FORGET_MS = 30000,
	PEERS_RETURN_MS = 10000,
	/* A connected publisher speaks each second. */
	PEERS_LIVE_MS = 2000,
	PEERS_ANONYMOUS_AT_ONCE = 1000,
	PEERS_FORGET_AT_ONCE = 1000,
};

struct peers;

/* roster: NULL if nobody is to be told who is here; then the peers are only counted.
 * epoch: not 0. Borrows the roster, whose other sources are the peers. */
struct peers *peers_new(struct roster *roster, uint64_t epoch);
void peers_free(struct peers *peers);

/* Takes a frame from the bus. This process's own are ignored, bad ones refused. */
void peers_take(struct peers *peers, struct text data, int64_t now_ms);

/* Forgets what is too old. Returns in how many milliseconds to call it again. */
int64_t peers_forget(struct peers *peers, int64_t now_ms);

/* Makes the next frame to be sent; it lives until the next call. Empty: none for now.
 * Returns in how many milliseconds to call it again. Needs a roster that keeps news. */
int64_t peers_say(struct peers *peers, int64_t now_ms, struct text *frame);

/* Makes the last frame. */
struct text peers_say_end(struct peers *peers);

/* How many publishers were heard of in the last `within_ms`, this process included. */
size_t peers_count(const struct peers *peers, int64_t now_ms, int64_t within_ms);

#endif
