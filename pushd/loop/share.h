/* Who goes on with what is long (turn.h): each taker has its next share when a pause
 * has passed since somebody needed one. */
#ifndef LONGROOM_SHARE_H
#define LONGROOM_SHARE_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

enum { SHARE_TAKERS_MAX = 4 };

struct share_taker {
	/* Whether something of the last share has been taken, or more is waited
	 * for. */
	bool (*needs)(const void *context);
	/* Takes the next share. True: there is more. */
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

/* They have their turns in the order in which they were added. */
void share_add(struct share *share, struct share_taker taker);

#endif
