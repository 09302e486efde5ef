/* The newest messages of all rooms, both in the log and in no log: first in, first
 * out, limited in bytes. The limit includes the memory of their rooms and of the
 * rooms' sequences.
 *
 * It has every message of the log after `from`, up to what the hub holds, except a
 * room's messages up to room.from.
 *
 * Each entry is in its room and in `whole`, the room of everything, which the feed of
 * all rooms contains. An entry may leave `whole` sooner: only the first of a sequence
 * can be dropped, so when a room loses messages, `whole` loses all those up to
 * them.
 *
 * Signals may take an eighth of it, their rooms aside. Beyond that they push out no
 * messages of the log, only older ones that are in no log either. */
#ifndef LONGROOM_WINDOW_H
#define LONGROOM_WINDOW_H

#include "hub/room.h"

struct entry {
	struct list in_window;
	struct room *room;
	int64_t id;       /* 0: in no log */
	int64_t log_id;   /* id; without one, where the log ended at the time */
	int64_t position; /* among all entries ever; from 1 */
	uint32_t size;
	bool is_signal;   /* sent with "store":false */
	char json[]; /* the rendered message */
};

struct window {
	struct list entries; /* oldest first */
	struct room whole;   /* without a name */
	int64_t from;        /* a log id */
	int64_t position;    /* of the newest entry ever; 0: none yet */
	int64_t count; /* of entries */
	int64_t bytes, limit_bytes;
	int64_t signal_bytes; /* of those */
};

void window_init(struct window *window, int64_t limit_bytes);

/* Adds a message at the end of the window and of its room. The window may exceed its
 * limit until window_evict(). */
struct entry *window_append(struct window *window, struct room *room, int64_t id,
                            int64_t log_id, struct text json);

/* The entry, which was just appended, is a signal. */
void window_mark_signal(struct window *window, struct entry *entry);

enum { WINDOW_SIGNALS_SHARE = 8 /* signals have an eighth */ };

static inline bool window_has_too_many_signals(const struct window *window)
{
	return window->signal_bytes > window->limit_bytes / WINDOW_SIGNALS_SHARE;
}

/* Whether window_evict() would drop something. */
static inline bool window_is_over(const struct window *window)
{
	return window->bytes > window->limit_bytes ||
	       window_has_too_many_signals(window);
}

/* Drops the oldest entries until it is within its limits, but of those in no log only
 * such up to a position. Returns whether it is within its limits. */
bool window_evict(struct window *window, struct rooms *rooms, int64_t upto);

/* Drops a room's entries with an id up to this one. The caller then calls
 * rooms_settle(). */
void window_drop(struct window *window, struct room *room, int64_t upto);

/* Drops all entries. */
void window_clear(struct window *window, struct rooms *rooms);

#endif
