#include "hub/log_reader.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "codec/page.h"
#include "metrics/metrics.h"
#include "os/thread.h"

/* Reads that were done and wait for the loop: each may hold a page or more. */
enum {
	ANSWERED_MAX = 8,
	CHANGES_MAX = 1000, /* rooms, of a read */
	GAPS_MAX = 1000,    /* rooms, of a read of all */
};

struct queue {
	struct log_read *first, **last;
	size_t count;
};

struct log_reader {
	struct ev_loop *loop;
	struct ev_async wake;
	struct store *store;     /* the thread's */
	struct bus_watch *watch; /* ... too */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t filled;
	/* Under the lock: */
	struct queue urgent, asked;
	struct queue followed, answered; /* done: urgent ones, and others */
	bool stopping;
	struct log_read *unfinished; /* is to be given back again; loop's thread */
};

/* Whether it is of a feed: clients may cause any number of these. */
static bool is_of_feed(const struct log_read *read)
{
	return read->kind == READ_ROOM || read->kind == READ_ROOMS ||
	       read->kind == READ_ALL;
}

static void queue_init(struct queue *queue)
{
	queue->first = NULL;
	queue->last = &queue->first;
	queue->count = 0;
}

static void queue_put(struct queue *queue, struct log_read *read)
{
	read->next = NULL;
	*queue->last = read;
	queue->last = &read->next;
	queue->count++;
}

static struct log_read *queue_take(struct queue *queue)
{
	struct log_read *read = queue->first;

	if (read == NULL)
		return NULL;
	queue->first = read->next;
	if (queue->first == NULL)
		queue->last = &queue->first;
	queue->count--;
	return read;
}

static void keep_item(void *context, const struct message *m)
{
	struct log_read *read = context;
	size_t at = read->json.size;

	message_render(m, &read->json);
	log_read_add_item(read, m->id, &m->room, at);
}

/* Usually the log has nothing new; finding that out takes no transaction. */
static bool perform_log(struct store *store, struct log_read *read)
{
	struct log_page page;

	if (!store_log_end(store, &read->end))
		return false;
	read->upto = read->held;
	if (read->end.newest <= read->held)
		return true;
	if (!store_read_log(store, read->held, PAGE_MAX, read->bytes, keep_item,
	                    read, &page))
		return false;
	read->end = page.end;
	read->upto = page.upto;
	return true;
}

static bool perform_tail(struct store *store, struct log_read *read)
{
	if (!store_log_end(store, &read->end))
		return false;
	incarnations_copy(&read->incarnations, store_incarnations(store));
	return store_find_tail(store, read->bytes, &read->upto);
}

static void keep_gap(struct log_read *read, const struct room_name *room,
                     int64_t removed)
{
	if (removed > read->range.id && removed <= read->upto)
		read->gaps[read->gap_count++] = (struct room_gap){*room, removed};
}

static bool perform_room(struct store *store, struct log_read *read)
{
	struct store_page page;

	log_read_name_rooms(read);
	read->states = memory_get(sizeof *read->states);
	read->gaps = memory_get(sizeof *read->gaps);
	if (!store_read_room(store, &read->rooms[0], &read->range, keep_item,
	                     read, &page))
		return false;
	read->end = page.end;
	read->more = page.more;
	/* The newest page is cut at its beginning. */
	read->upto = page.more && read->range.direction == STORE_AFTER
		             ? page.last
		             : page.end.newest;
	read->states[0] = page.state;
	keep_gap(read, &read->rooms[0], page.removed);
	return true;
}

static void take_page(struct log_read *read, const struct rooms_page *page)
{
	read->end = page->end;
	read->upto = page->upto;
	read->more = page->more;
}

static bool perform_rooms(struct store *store, struct log_read *read)
{
	struct rooms_page page;

	log_read_name_rooms(read);
	read->states = memory_get(read->room_count * sizeof *read->states);
	read->gaps = memory_get(read->room_count * sizeof *read->gaps);
	page.states = read->states;
	if (!store_read_rooms(store, read->rooms, read->room_count, &read->range,
	                      keep_item, read, &page))
		return false;
	take_page(read, &page);
	for (size_t i = 0; i < read->room_count; i++)
		keep_gap(read, &read->rooms[i], read->states[i].pruned);
	return true;
}

static bool perform_all(struct store *store, struct log_read *read)
{
	struct rooms_page page;

	read->states = memory_get(sizeof *read->states);
	read->gaps = memory_get(GAPS_MAX * sizeof *read->gaps);
	struct rooms_gaps gaps = {.gaps = read->gaps, .most = GAPS_MAX};
	page.states = NULL;
	if (!store_read_all(store, &read->range, keep_item, read, &gaps, &page))
		return false;
	read->gap_count = gaps.count;
	read->states[0].pruned = gaps.pruned;
	take_page(read, &page);
	return true;
}

static bool perform_states(struct store *store, struct log_read *read)
{
	read->states = memory_get(read->room_count * sizeof *read->states);
	return store_read_states(store, read->rooms, read->room_count,
	                         read->states, &read->end);
}

static bool perform_changes(struct store *store, struct log_read *read)
{
	read->changes = memory_get(CHANGES_MAX * sizeof *read->changes);
	return store_read_changes(store, read->since, read->changes, CHANGES_MAX,
	                          &read->change_count, &read->upto, &read->end);
}

static void perform(struct store *store, struct log_read *read)
{
	static bool (*const performers[])(struct store *, struct log_read *) = {
		[READ_TAIL] = perform_tail,
		[READ_LOG] = perform_log,
		[READ_ROOM] = perform_room,
		[READ_ROOMS] = perform_rooms,
		[READ_ALL] = perform_all,
		[READ_STATES] = perform_states,
		[READ_CHANGES] = perform_changes,
	};

	read->good = performers[read->kind](store, read);
	if (read->good)
		return;
	read->is_awaited = store_is_awaited(store);
	snprintf(read->error, sizeof read->error, "%s", store_error(store));
}

static struct log_read *wait_for_read(struct log_reader *reader)
{
	struct log_read *read = NULL;

	pthread_mutex_lock(&reader->lock);
	while (reader->urgent.count == 0 &&
	       (reader->asked.count == 0 ||
	        reader->answered.count >= ANSWERED_MAX) &&
	       !reader->stopping)
		pthread_cond_wait(&reader->filled, &reader->lock);
	if (!reader->stopping)
		read = queue_take(reader->urgent.count > 0 ? &reader->urgent
		                                           : &reader->asked);
	pthread_mutex_unlock(&reader->lock);
	return read;
}

static void *read_until_stopped(void *argument)
{
	struct log_reader *reader = argument;
	struct log_read *read;

	while ((read = wait_for_read(reader)) != NULL) {
		perform(reader->store, read);
		if (read->good && bus_watch_is_due(reader->watch))
			store_visit_buses(reader->store, NULL, bus_watch_see,
			                  reader->watch);
		pthread_mutex_lock(&reader->lock);
		queue_put(is_of_feed(read) ? &reader->answered
		                           : &reader->followed, read);
		pthread_mutex_unlock(&reader->lock);
		ev_async_send(reader->loop, &reader->wake);
	}
	return NULL;
}

static void log_reader_count(const struct log_read *read)
{
	static const enum metric kinds[] = {
		[READ_TAIL] = METRIC_PUSHD_READ_TAIL,
		[READ_LOG] = METRIC_PUSHD_READ_LOG,
		[READ_ROOM] = METRIC_PUSHD_READ_ROOM,
		[READ_ROOMS] = METRIC_PUSHD_READ_ROOMS,
		[READ_ALL] = METRIC_PUSHD_READ_ALL,
		[READ_STATES] = METRIC_PUSHD_READ_STATES,
		[READ_CHANGES] = METRIC_PUSHD_READ_CHANGES,
	};

	metrics_add(kinds[read->kind], 1);
	if (!read->good)
		metrics_add(METRIC_PUSHD_READS_FAILED, 1);
}

static struct log_read *take_done(struct log_reader *reader,
                                  struct queue *queue)
{
	pthread_mutex_lock(&reader->lock);
	struct log_read *read = queue_take(queue);
	if (reader->answered.count == ANSWERED_MAX - 1)
		pthread_cond_signal(&reader->filled);
	pthread_mutex_unlock(&reader->lock);
	return read;
}

/* False: it must be called again, with the next share. */
static bool log_reader_finish(struct log_reader *reader, struct log_read *read)
{
	read->done(read->context, read);
	reader->unfinished = read->again ? read : NULL;
	if (read->again)
		return false;
	log_read_free(read);
	return true;
}

/* An unfinished read delays those behind it: this share of time is used up. */
static void give_back_rooms(struct log_reader *reader)
{
	struct log_read *read;

	while (reader->unfinished == NULL &&
	       (read = take_done(reader, &reader->answered)) != NULL) {
		log_reader_count(read);
		log_reader_finish(reader, read);
	}
}

void log_reader_go_on(struct log_reader *reader)
{
	if (reader->unfinished != NULL &&
	    log_reader_finish(reader, reader->unfinished))
		give_back_rooms(reader);
}

static void log_reader_give_back(struct ev_loop *loop, struct ev_async *wake,
                                 int events)
{
	struct log_reader *reader = wake->data;
	struct log_read *read;

	(void)loop;
	(void)events;
	while ((read = take_done(reader, &reader->followed)) != NULL) {
		log_reader_count(read);
		read->done(read->context, read);
		log_read_free(read);
	}
	give_back_rooms(reader);
}

struct log_reader *log_reader_start(struct ev_loop *loop, struct store *store,
                                    struct bus_watch *watch)
{
	struct log_reader *reader = memory_get(sizeof *reader);

	reader->loop = loop;
	reader->store = store;
	reader->watch = watch;
	queue_init(&reader->urgent);
	queue_init(&reader->asked);
	queue_init(&reader->followed);
	queue_init(&reader->answered);
	pthread_mutex_init(&reader->lock, NULL);
	pthread_cond_init(&reader->filled, NULL);
	ev_async_init(&reader->wake, log_reader_give_back);
	reader->wake.data = reader;
	ev_async_start(loop, &reader->wake);
	reader->thread = thread_start(read_until_stopped, reader);
	return reader;
}

static void drop_all(struct queue *queue)
{
	struct log_read *read;

	while ((read = queue_take(queue)) != NULL)
		log_read_free(read);
}

void log_reader_stop(struct log_reader *reader)
{
	pthread_mutex_lock(&reader->lock);
	reader->stopping = true;
	pthread_cond_signal(&reader->filled);
	pthread_mutex_unlock(&reader->lock);
	pthread_join(reader->thread, NULL);
	ev_async_stop(reader->loop, &reader->wake);
	drop_all(&reader->urgent);
	drop_all(&reader->asked);
	drop_all(&reader->followed);
	drop_all(&reader->answered);
	if (reader->unfinished != NULL)
		log_read_free(reader->unfinished);
	pthread_cond_destroy(&reader->filled);
	pthread_mutex_destroy(&reader->lock);
	store_free(reader->store);
	bus_watch_free(reader->watch);
	free(reader);
}

void log_reader_ask(struct log_reader *reader, struct log_read *read)
{
	pthread_mutex_lock(&reader->lock);
	queue_put(is_of_feed(read) ? &reader->asked : &reader->urgent, read);
	pthread_cond_signal(&reader->filled);
	pthread_mutex_unlock(&reader->lock);
}
