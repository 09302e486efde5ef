#include "loop/share.h"

#include <assert.h>

#include "loop/turn.h"

static const double pause_seconds = TURN_PAUSE_MS / 1000.0;

static void give_share(struct ev_loop *loop, struct ev_timer *pause, int events)
{
	struct share *share = pause->data;

	(void)loop;
	(void)events;
	for (size_t i = 0; i < share->taker_count; i++)
		share->takers[i].go_on(share->takers[i].context);
}

static bool is_needed(const struct share *share)
{
	for (size_t i = 0; i < share->taker_count; i++)
		if (share->takers[i].needs(share->takers[i].context))
			return true;
	return false;
}

static void share_prepare(struct ev_loop *loop, struct ev_prepare *ending,
                          int events)
{
	struct share *share = ending->data;

	(void)events;
	if (ev_is_active(&share->pause) || !is_needed(share))
		return;
	ev_timer_set(&share->pause, pause_seconds, 0.0);
	ev_timer_start(loop, &share->pause);
}

void share_init(struct share *share, struct ev_loop *loop)
{
	*share = (struct share){.loop = loop};
	ev_prepare_init(&share->ending, share_prepare);
	share->ending.data = share;
	ev_prepare_start(loop, &share->ending);
	ev_init(&share->pause, give_share);
	share->pause.data = share;
}

void share_release(struct share *share)
{
	ev_prepare_stop(share->loop, &share->ending);
	ev_timer_stop(share->loop, &share->pause);
}

void share_add(struct share *share, struct share_taker taker)
{
	assert(share->taker_count < SHARE_TAKERS_MAX);
	share->takers[share->taker_count++] = taker;
}
