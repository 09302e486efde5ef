#include "verbs/send_limits.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "verbs/buckets.h"

struct send_limits {
	pthread_mutex_t lock;
	struct buckets *users, *rooms; /* under the lock */
};

struct send_limits *send_limits_new(void)
{
	struct send_limits *limits = memory_get(sizeof *limits);

	pthread_mutex_init(&limits->lock, NULL);
	limits->users = buckets_new();
	limits->rooms = buckets_new();
	return limits;
}

void send_limits_free(struct send_limits *limits)
{
	if (limits == NULL)
		return;
	buckets_free(limits->users);
	buckets_free(limits->rooms);
	pthread_mutex_destroy(&limits->lock);
	free(limits);
}

static int64_t seconds(int64_t us)
{
	return (us + 999999) / 1000000;
}

/* draft-ietf-httpapi-ratelimit-headers-07. */
static void add_limit_headers(struct bucket_rule rule,
                              const struct bucket_state *state, bool good,
                              struct buffer *headers)
{
	int64_t wait = seconds(state->wait_us);

	if (rule.rate == 0)
		return;
	buffer_add_string(headers, "RateLimit-Limit: ");
	buffer_add_integer(headers, rule.burst);
	buffer_add_string(headers, "\r\nRateLimit-Remaining: ");
	buffer_add_integer(headers, state->remaining);
	buffer_add_string(headers, "\r\nRateLimit-Reset: ");
	buffer_add_integer(headers, good ? seconds(state->full_us) : wait);
	buffer_add_string(headers, "\r\n");
	if (!good)
		buffer_printf(headers, "Retry-After: %" PRId64 "\r\n", wait);
}

/* Takes a token from both buckets, or from neither. */
bool send_limits_take(struct send_limits *limits,
                      const struct limits_settings *settings,
                      struct text user_id, const struct room_name *room,
                      struct buffer *headers)
{
	struct bucket_rule user_rule = {settings->user_sends,
	                                settings->user_burst};
	struct bucket_rule room_rule = {settings->room_sends,
	                                settings->room_burst};
	int64_t now_us = clock_monotonic_us();

	pthread_mutex_lock(&limits->lock);
	struct bucket *user = buckets_find(limits->users, user_id, now_us);
	struct bucket *all = buckets_find(limits->rooms, room_name_text(room),
	                                  now_us);
	struct bucket_state of_user = bucket_look(user, user_rule, now_us);
	struct bucket_state of_room = bucket_look(all, room_rule, now_us);
	bool good = of_user.has_one && of_room.has_one;
	if (good) {
		bucket_take(user, user_rule, now_us);
		bucket_take(all, room_rule, now_us);
		of_user = bucket_look(user, user_rule, now_us);
	}
	pthread_mutex_unlock(&limits->lock);
	/* The room's bucket is not shown until it is empty. */
	if (of_user.has_one && !good)
		add_limit_headers(room_rule, &of_room, good, headers);
	else
		add_limit_headers(user_rule, &of_user, good, headers);
	return good;
}
