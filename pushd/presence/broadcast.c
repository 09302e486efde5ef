#include "presence/broadcast.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/draw.h"
#include "base/memory.h"
#include "bus/bus.h"
#include "presence/peers.h"

struct broadcast {
	struct ev_loop *loop;
	struct peers *peers;
	struct bus *bus; /* NULL: it does not publish */
	bool has_ended;
	struct ev_timer clock;
};

static int64_t speak(struct broadcast *broadcast, int64_t now_ms)
{
	struct text frame;
	int64_t wait_ms = peers_say(broadcast->peers, now_ms, &frame);

	if (frame.size > 0)
		bus_send(broadcast->bus, frame);
	return wait_ms;
}

static void broadcast_work(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct broadcast *broadcast = timer->data;
	int64_t now_ms = clock_monotonic_ms();
	int64_t wait_ms = peers_forget(broadcast->peers, now_ms);

	(void)events;
	if (broadcast->bus != NULL && !broadcast->has_ended) {
		int64_t speak_ms = speak(broadcast, now_ms);

		if (speak_ms < wait_ms)
			wait_ms = speak_ms;
	}
	ev_timer_set(timer, (double)wait_ms / 1000.0, 0.0);
	ev_timer_start(loop, timer);
}

static uint64_t draw_epoch(void)
{
	uint64_t epoch = 0;

	while (epoch == 0)
		draw_bytes(&epoch, sizeof epoch);
	return epoch;
}

struct broadcast *broadcast_start(struct ev_loop *loop, struct roster *roster,
                                  const char *address, struct buffer *error)
{
	struct bus *bus = NULL;

	if (roster != NULL && address[0] != '\0') {
		bus = bus_publish_on(address, error);
		if (bus == NULL)
			return NULL;
		roster_keep_news(roster);
	}
	struct broadcast *broadcast = memory_get(sizeof *broadcast);

	broadcast->loop = loop;
	broadcast->bus = bus;
	broadcast->peers = peers_new(roster, draw_epoch());
	ev_timer_init(&broadcast->clock, broadcast_work, 0.0, 0.0);
	broadcast->clock.data = broadcast;
	ev_timer_start(loop, &broadcast->clock);
	return broadcast;
}

static void take_other_frame(void *context, struct text frame)
{
	struct broadcast *broadcast = context;

	peers_take(broadcast->peers, frame, clock_monotonic_ms());
}

static size_t other_publishers(void *context)
{
	const struct broadcast *broadcast = context;

	return peers_count(broadcast->peers, clock_monotonic_ms(), PEERS_LIVE_MS);
}

void broadcast_hear(struct broadcast *broadcast, struct follower *follower)
{
	follower_hand_on(follower, &(struct other_frames){
		take_other_frame, other_publishers, broadcast});
}

void broadcast_end(struct broadcast *broadcast)
{
	broadcast->has_ended = true;
	if (broadcast->bus != NULL)
		bus_send(broadcast->bus, peers_say_end(broadcast->peers));
}

void broadcast_stop(struct broadcast *broadcast)
{
	if (broadcast == NULL)
		return;
	ev_timer_stop(broadcast->loop, &broadcast->clock);
	bus_free(broadcast->bus);
	peers_free(broadcast->peers);
	free(broadcast);
}
