#include "poll/telling.h"

#include "base/clock.h"
#include "poll/here.h"
#include "poll/question.h"
#include "poll/stream.h"

static bool tell_visitor(struct watch *watch)
{
	struct poll *poll = watch->visit->owner;

	if (poll->stream != NULL)
		return stream_tell(poll, watch->room);
	here_tell_poll(poll);
	return true;
}

static void take_tick(struct ev_loop *loop, struct ev_timer *ticks, int events)
{
	struct polls *polls = ticks->data;

	(void)loop;
	(void)events;
	here_forget(&polls->here);
	presence_tick(polls->presence, clock_monotonic_ms());
}

void telling_begin(struct polls *polls, struct ev_loop *loop)
{
	const struct settings *settings = polls->settings;
	const struct presence_options options = {
		.hub = polls->hub,
		.form = {.has_users = settings->push.presence == PRESENCE_USERS,
	                 .users_most = (size_t)settings->limits.presence},
		.grace_ms = settings->push.presence_grace,
		.tell = tell_visitor,
	};
	const double seconds = DEADLINES_TICK_MS / 1000.0;

	if (settings->push.presence == PRESENCE_OFF)
		return;
	polls->presence = presence_new(&options, clock_monotonic_ms());
	ev_timer_init(&polls->ticks, take_tick, seconds, seconds);
	polls->ticks.data = polls;
	ev_timer_start(loop, &polls->ticks);
}

void telling_end(struct polls *polls, struct ev_loop *loop)
{
	if (polls->presence != NULL)
		ev_timer_stop(loop, &polls->ticks);
	here_forget(&polls->here);
}

void telling_use_limits(struct polls *polls)
{
	const struct settings *settings = polls->settings;

	if (polls->presence != NULL)
		presence_set_limits(polls->presence, settings->push.presence_grace,
		                    (size_t)settings->limits.presence);
}

bool telling_needs_share(const struct polls *polls)
{
	return !list_is_empty(&polls->questions) ||
	       presence_needs_share(polls->presence);
}

bool telling_go_on(struct polls *polls)
{
	presence_go_on(polls->presence, clock_monotonic_ms());
	questions_go_on(polls);
	return telling_needs_share(polls);
}
