/* Rooms that are watched, and who is told of what changes there.
 *
 * A change is told after a second, or more if there are many to tell: each room has a
 * timer, which the first change starts. When it comes, the room's text is rendered,
 * once for all; if it is another one, the watches are told one by one, in shares
 * (turn.h).
 *
 * A watch that can't be told now, because its client reads something else, is tried
 * again until it can. It is then told of the room as it is by then. */
#ifndef LONGROOM_WATCHING_H
#define LONGROOM_WATCHING_H

#include "codec/cursor.h"
#include "loop/deadlines.h"
#include "presence/room_text.h"

enum {
	/* Between two texts of a room: this, or a millisecond for each watch. */
	WATCHING_LEAST_MS = 1000,
	/* A room that is no longer watched is remembered, so that it is known whether
	 * it has changed when a poll comes back. */
	WATCHING_IDLE_MS = 10000,
	WATCHING_IDLE_MAX = 10000, /* rooms */
	WATCHING_TEXT_BYTES = 16 * 1024 * 1024, /* may be passed by one text */
};

struct watched;

/* A visitor's watch of one room. */
struct watch {
	struct list link; /* in one of the lists of its room, or of watching */
	struct watched *room;
	struct visit *visit; /* whose it is */
	unsigned told;       /* the version; 0: none */
};

/* What a watched room was told as, by a presenter. */
struct watched_form {
	void *form; /* NULL: none */
	void (*unref)(void *form);
	struct cursor place; /* the form's */
};

/* A watched room; immutable for others, but for its form. */
struct watched {
	struct watching *watching;
	struct roster_room *room; /* held */
	struct list watches; /* struct watch */
	struct list untold;  /* ... of them, those to be told now */
	size_t count;        /* of watches, wherever they are */
	struct deadline due; /* set while a change waits to be told */
	struct list telling; /* in watching.telling while there are untold ones */
	struct list texts;   /* in watching.texts while it has a text */
	struct list idle;    /* in watching.idle while it has no watches */
	struct buffer text;  /* its entry; empty: none at hand */
	uint64_t changes;    /* room.changes when that was rendered */
	int64_t rendered_ms;
	uint64_t print;      /* the fingerprint of the last text */
	unsigned version;    /* counts texts that differ; 0: none yet */
	unsigned announced;  /* the version that all were told of */
	int64_t changed_ms;  /* when the version came */
	int64_t idle_ms;
	struct watched_form form; /* of the version */
};

struct watching {
	struct roster *roster; /* borrowed */
	struct room_text_form form;
	/* False: not now. May end the visit otherwise. */
	bool (*tell)(struct watch *watch);
	int64_t now_ms;
	struct deadlines deadlines;
	struct list telling; /* struct watched, each gets a turn */
	struct list asked;   /* struct watch, to be told now whatever has changed */
	struct list owed;    /* struct watch, to be tried again */
	struct list texts;   /* struct watched, rendered longest ago first */
	size_t text_bytes;
	struct list idle; /* struct watched, longest idle first */
	size_t idle_count;
	size_t count; /* of watched rooms, without the idle ones */
	int64_t render_left; /* bytes of texts left in this share (turn.h) */
};

void watching_init(struct watching *watching, struct roster *roster,
                   const struct room_text_form *form,
                   bool (*tell)(struct watch *watch), int64_t now_ms);
/* Call when nothing is watched. */
void watching_release(struct watching *watching);

/* Begins a watch, in zeroed memory, and ends it. */
void watch_begin(struct watching *watching, struct watch *watch, struct visit *visit,
                 const struct room_name *name);
void watch_end(struct watch *watch);
/* It is told of its room soon. */
void watch_ask(struct watch *watch);

/* Returns the room's entry as of now, or of a second ago if the room is crowded or the
 * share is used up. Borrowed until the next call for any room. */
struct text watched_text(struct watched *watched);

/* A room has changed: the roster's callback. */
void watching_note_change(struct roster_room *room);

/* Call it every DEADLINES_TICK_MS: tries again those who are owed. */
void watching_tick(struct watching *watching);
/* Does the next share. True: there is more. */
bool watching_go_on(struct watching *watching);
/* Whether there is work that does not wait for a time. */
bool watching_has_work(const struct watching *watching);

#endif
