/* Runs long work in shares (turn.h): after a pause, each taker does its next
 * share. */
#ifndef LONGROOM_SHARE_H
#define LONGROOM_SHARE_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

enum { SHARE_TAKERS_MAX = 4 };

struct share_taker {
	/* Whether part of the last share has been used, or work waits for the
	 * next. */
	bool (*needs)(const void *context);
	/* Does the next share. True: there is more. */
	bool (*go_on)(void *context);
	void *context;
};

struct share {
	struct ev_loop *loop;
	struct ev_prepare ending; /* of a turn */
	struct ev_timer pause;
	struct share_taker takers[SHARE_TAKERS_MAX];
	size_t taker_count;
};

void share_init(struct share *share, struct ev_loop *loop);
void share_release(struct share *share);

/* Takers run in the order in which they were added. */
void share_add(struct share *share, struct share_taker taker);

#endif
