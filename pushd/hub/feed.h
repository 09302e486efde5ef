/* A feed: what waiters follow. It is one room, several rooms, or all of them.
 *
 * All waiters that follow the same rooms share a feed. So a message wakes the feeds
 * that contain its room, however many waiters each has, and a crowd that lacks the
 * same messages shares one delivery.
 *
 * A room contains the feed of itself alone. Feeds of several rooms are in a table
 * (feeds.h). The feed of all rooms has one subscription too: to the room of
 * everything, which is part of the window. */
#ifndef LONGROOM_FEED_H
#define LONGROOM_FEED_H

#include "base/buffer.h"
#include "base/list.h"
#include "hub/delivery.h"

enum {
	/* Clients come back with about this many different cursors. */
	FEED_CACHED_DELIVERIES = 2,
	/* All clients of a feed come back within less; and forms that presenters
	 * keep must not become stale (HTTP has a Date). */
	FEED_DELIVERY_LIFE_MS = 1000,
};

enum feed_kind { FEED_ROOM, FEED_SEVERAL, FEED_ALL };

/* A room's place in a feed. */
struct subscription {
	struct room *room; /* in use as long as the feed may be asked for */
	struct feed *feed;
	struct list in_room; /* in room.feeds; of several rooms only while the feed
	                      * has users */
};

/* The delivery made for a cursor. Valid until one of the feed's rooms gets a message
 * after `end`. The delivery's own cursor may be older than necessary, but no message
 * is missed after it. */
struct cached_delivery {
	int64_t id, position;
	struct cursor end; /* everything up to here was looked at */
	uint64_t states;   /* delivery_cache.states at the time */
	int64_t made_ms;   /* monotonic */
	struct delivery *delivery; /* NULL: unused */
};

struct feed {
	enum feed_kind kind;
	size_t users; /* waiters, reads of the log under way, and holders */
	/* struct waiter: */
	struct list parked;    /* wait for a message; none has any to get */
	struct list patient;   /* the same; but signals alone do not wake them */
	struct list queued;    /* want a read of the log, and will get the next */
	struct list asking;    /* will be answered by the read under way */
	struct list resetting; /* the same two for the newest page */
	struct list reset_asking;
	bool reading;       /* there is a read under way for `asking` */
	bool reset_reading; /* ... for `reset_asking` */
	bool is_urgent;     /* what is undelivered are not signals alone */
	struct subscription *rooms;
	size_t count;       /* of rooms */
	struct buffer forbidden; /* for presenters: the rooms that were asked for
	                          * and may not be read; see delivery.h */
	struct entry *undelivered; /* the first that parked ones lack, or NULL */
	struct list hungry;        /* in hub.hungry while undelivered is set */
	struct list deferring; /* in hub.deferring while patient ones lack signals */
	int64_t due_ms;        /* ... and when they get them; monotonic */
	struct list idle;          /* in feeds.idle while it has no users */
	struct list caching;       /* in feeds.caching while it has any cached: */
	struct cached_delivery cached[FEED_CACHED_DELIVERIES];
	unsigned next_cached;
	int64_t cached_ms; /* when it last cached one */
};

/* Takes no rooms yet: the caller sets those. */
void feed_init(struct feed *feed, enum feed_kind kind,
               struct subscription *rooms, size_t count);

/* Subscribes the feed to room number `index`. */
void feed_subscribe(struct feed *feed, size_t index, struct room *room,
                    struct list *feeds_of_room);

/* The deliveries that feeds cache, limited in bytes of messages and names of rooms. */
struct delivery_cache {
	struct list caching; /* struct feed, longest without a new one first */
	int64_t bytes, limit_bytes;
	uint64_t states; /* counts what became known of rooms: what was cached
	                  * before is not given again */
};

void delivery_cache_init(struct delivery_cache *cache, int64_t limit_bytes);

/* Returns what was cached for a cursor, borrowed; NULL: nothing. The caller checks
 * that it is still valid. */
const struct cached_delivery *feed_find_cached(const struct delivery_cache *cache,
                                               const struct feed *feed,
                                               const struct cursor *place);

/* Caches a delivery that was made for a place from everything up to `end`. Takes a
 * reference of its own. Feeds that cached theirs longest ago lose them if the cache
 * is over its limit. */
void feed_cache_delivery(struct delivery_cache *cache, struct feed *feed,
                         const struct cursor *place, const struct cursor *end,
                         struct delivery *delivery);
void feed_forget_deliveries(struct delivery_cache *cache, struct feed *feed);
/* Of feeds that have cached nothing for as long as a delivery may be given again. */
void delivery_cache_forget_old(struct delivery_cache *cache, int64_t now_ms);

#endif
