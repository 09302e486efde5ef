#include "hub.h"

#include <assert.h>
#include <stdio.h>
#include <inttypes.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/journal.h"
#include "codec/page.h"
#include "codec/pattern.h"
#include "metrics/metrics.h"
#include "news.h"
#include "loop/turn.h"

/* PROTOCOL section 6. Those who come back while a restart lasts have to fit the
 * kernel's backlog (ENDPOINT_BACKLOG). */
enum {
	RETRY_LEAST_MS = 1000, /* for a crowd of any size: a restart's time */
	RETRY_MOST_MS = 30000,
	RETRIES_PER_MS = 5,
};

/* Bytes: what turns out to be short, or there by now, costs something too. */
enum { QUEUED_COST = 4096 };

static void decide(struct hub *hub, struct waiter *waiter);

/* The only place where a waiter changes its state. */
static void move(struct waiter *waiter, enum waiter_state state, struct list *to)
{
	waiter->state = state;
	if (to != NULL)
		list_append(to, &waiter->link);
	else
		list_remove(&waiter->link);
}

static struct waiter *first_waiter(const struct list *list)
{
	return LIST_OWNER(list->next, struct waiter, link);
}

void hub_init(struct hub *hub, int64_t window_bytes, struct log_reader *reader,
              hub_answered *answered)
{
	*hub = (struct hub){.reader = reader,
	                    .answered = answered,
	                    .reads_limit = INT64_MAX,
	                    .complete_ms = clock_monotonic_ms()};
	window_init(&hub->window, window_bytes);
	rooms_init(&hub->rooms);
	list_init(&hub->unsettled);
	list_init(&hub->dirty);
	list_init(&hub->long_pages);
	hub->render_left = hub->read_left = TURN_RENDER_BYTES;
	/* Can't fail for so few bytes (getrandom(2)). */
	ssize_t ignored = getrandom(&hub->epoch, sizeof hub->epoch, 0);
	(void)ignored;
}

void hub_release(struct hub *hub)
{
	window_clear(&hub->window, &hub->rooms);
	rooms_release(&hub->rooms);
	incarnations_release(&hub->incarnations);
	buffer_release(&hub->scratch);
}

void hub_set_window(struct hub *hub, int64_t bytes)
{
	hub->window.limit_bytes = bytes;
	hub_deliver(hub);
}

/* The place where all is delivered. */
static struct cursor place_now(const struct hub *hub)
{
	return (struct cursor){
		.names_log = true,
		.log = hub->log,
		.id = hub->newest,
		.has_position = true,
		.epoch = hub->epoch,
		.position = hub->window.position,
	};
}

static void give(struct hub *hub, struct waiter *waiter, struct answer *answer)
{
	struct room *room = waiter->room;

	move(waiter, WAITER_IDLE, NULL);
	waiter->room = NULL;
	rooms_leave(&hub->rooms, room);
	hub->answered(waiter, answer);
}

static void give_page(struct hub *hub, struct waiter *waiter,
                      struct answer *answer)
{
	metrics_add(answer->is_news ? METRIC_PUSHD_ANSWERS
	                            : METRIC_PUSHD_EMPTY_ANSWERS, 1);
	metrics_add(METRIC_PUSHD_DELIVERIES, answer->messages);
	give(hub, waiter, answer);
}

static void give_problem(struct hub *hub, struct waiter *waiter,
                         enum problem_type type, const char *detail)
{
	struct answer *answer = answer_problem(type, detail, hub->closing);

	metrics_count_refusal(METRICS_pushd, type);
	give(hub, waiter, answer);
	answer_release(answer);
}

static void give_storage_problem(struct hub *hub, struct waiter *waiter)
{
	give_problem(hub, waiter, PROBLEM_STORAGE, "the log can't be read now");
}

static void page_add(struct page *page, struct text json)
{
	page_separate(page);
	buffer_add_text(page->buffer, json);
}

static bool page_is_full(const struct page *page)
{
	return page->count == PAGE_MAX || page->buffer->size > PAGE_MAX_BYTES;
}

static struct answer *finish_page(struct hub *hub, const struct room *room,
                                  struct page *page, struct page_end *end)
{
	end->ephemeral = hub->ephemeral != NULL &&
	                 pattern_list_matches(hub->ephemeral, room->name.string);
	metrics_add(METRIC_PUSHD_RENDERED, 1);
	page_end(page, end);
	/* For those who read with curl. */
	buffer_add_string(&hub->scratch, "\n");
	struct answer *answer =
		answer_page(buffer_text(&hub->scratch), hub->closing);
	answer->messages = page->count;
	answer->is_news = page->count > 0 || end->gap || end->reset;
	return answer;
}

static void start_page(struct hub *hub, struct page *page, const struct room *room)
{
	buffer_clear(&hub->scratch);
	page_begin(page, &hub->scratch, &room->name);
}

/* Whether the window has all that the room has after the cursor, and nothing was
 * removed there: a client from before a hole is told by a read of the log. */
static bool is_in_window(const struct hub *hub, const struct room *room,
                         const struct cursor *cursor)
{
	return room->known && cursor->id >= hub->window.from &&
	       cursor->id >= room->from && cursor->id >= room->pruned;
}

/* Where a page ends that is cut after this entry. */
static struct cursor cursor_after(const struct hub *hub, const struct entry *last,
                                  const struct cursor *place)
{
	struct cursor cursor = place_now(hub);

	cursor.id = last->log_id;
	cursor.position = last->position;
	/* Neither part ever goes back: a place may be ahead in one of them. */
	if (place->id > cursor.id)
		cursor.id = place->id;
	if (place->position > cursor.position)
		cursor.position = place->position;
	return cursor;
}

/* Renders what the place lacks. Returns a reference. */
static struct answer *render_news(struct hub *hub, const struct room *room,
                                  const struct cursor *place)
{
	struct page_end end = {.cursor = place_now(hub),
	                       .earliest = room->earliest};
	struct news news = news_after(room, place);
	const struct entry *last = NULL, *entry;
	struct page page;

	start_page(hub, &page, room);
	while ((entry = news_take(&news)) != NULL && !page_is_full(&page)) {
		page_add(&page, (struct text){entry->json, entry->size});
		last = entry;
	}
	end.more = entry != NULL || (page_is_full(&page) && hub->behind);
	if (end.more)
		end.cursor = cursor_after(hub, last, place);
	return finish_page(hub, room, &page, &end);
}

/* The same, rendered once for all who come with the same cursor. Borrowed by
 * the caller until the room gets a message. */
static struct answer *page_after(struct hub *hub, struct room *room,
                                 const struct cursor *place)
{
	struct answer *answer =
		room_cached_page(room, place->id, place->position);

	if (answer != NULL)
		return answer;
	answer = render_news(hub, room, place);
	if (answer->size > TURN_LONG_BYTES)
		hub->render_left -= (int64_t)answer->size;
	room_cache_page(room, place->id, place->position, answer);
	answer_release(answer);
	return answer;
}

static void give_empty_page(struct hub *hub, struct waiter *waiter)
{
	struct cursor now = place_now(hub);
	struct answer *answer =
		answer_hold(page_after(hub, waiter->room, &now));

	give_page(hub, waiter, answer);
	answer_release(answer);
}

/* Whether a waiter wants a long page that nobody has had yet, when there is no
 * more time for those, or others came first. */
static bool has_to_queue(const struct hub *hub, const struct waiter *waiter)
{
	const struct cursor *place = &waiter->cursor;

	if (waiter->state == WAITER_QUEUED ||
	    (hub->render_left > 0 && list_is_empty(&hub->long_pages)))
		return false;
	return room_cached_page(waiter->room, place->id, place->position) ==
		       NULL &&
	       news_is_longer(news_after(waiter->room, place), TURN_LONG_BYTES);
}

static void answer_or_park(struct hub *hub, struct waiter *waiter)
{
	struct room *room = waiter->room;

	if (news_is_there(room, &waiter->cursor)) {
		if (has_to_queue(hub, waiter)) {
			move(waiter, WAITER_QUEUED, &hub->long_pages);
			return;
		}
		struct answer *answer =
			answer_hold(page_after(hub, room, &waiter->cursor));
		give_page(hub, waiter, answer);
		answer_release(answer);
	} else if (waiter->must_answer) {
		give_empty_page(hub, waiter);
	} else {
		move(waiter, WAITER_PARKED, &room->parked);
		if (hub->closing)
			hub_send_away(hub, waiter);
	}
}

static void room_was_read(void *context, struct log_read *read);
static void newest_was_read(void *context, struct log_read *read);

/* A read keeps its room in use until it is back. */
static void read_room(struct hub *hub, struct room *room,
                      struct store_range range,
                      void (*done)(void *context, struct log_read *read))
{
	struct log_read *read = log_read_new(READ_ROOM);

	read->held = hub->newest;
	read->room = room->name;
	read->range = range;
	read->done = done;
	read->context = hub;
	rooms_use(&hub->rooms, room);
	hub->reads++;
	log_reader_ask(hub->reader, read);
}

/* True: too many rooms are being read for the waiter to have its room read too;
 * it is answered. Who joins a read that is under way needs none. */
static bool is_read_too_many(struct hub *hub, struct waiter *waiter,
                             bool is_reading)
{
	if (is_reading || hub->reads < hub->reads_limit)
		return false;
	complaint_warn(&hub->about_reads,
	               "limits.reads: refusing polls that need the log");
	give_problem(hub, waiter, PROBLEM_OVERLOADED,
	             "too many rooms wait for the log to be read");
	return true;
}

/* One read for all that have queued: after the oldest of their cursors. */
static void read_for_queued(struct hub *hub, struct room *room)
{
	int64_t after = INT64_MAX;

	if (list_is_empty(&room->queued) || room->reading)
		return;
	list_append_all(&room->asking, &room->queued);
	for (struct list *at = room->asking.next; at != &room->asking;
	     at = at->next) {
		int64_t id = LIST_OWNER(at, struct waiter, link)->cursor.id;

		after = id < after ? id : after;
	}
	room->reading = true;
	read_room(hub, room,
	          (struct store_range){.direction = STORE_AFTER,
	                               .id = after,
	                               .limit = PAGE_MAX,
	                               .bytes = PAGE_MAX_BYTES},
	          room_was_read);
}

static void read_newest(struct hub *hub, struct room *room)
{
	if (list_is_empty(&room->resetting) || room->reset_reading)
		return;
	list_append_all(&room->reset_asking, &room->resetting);
	room->reset_reading = true;
	read_room(hub, room,
	          (struct store_range){.direction = STORE_NEWEST,
	                               .limit = PAGE_DEFAULT},
	          newest_was_read);
}

static void wait_for_look(struct hub *hub, struct waiter *waiter)
{
	waiter->checked_by = hub->want_look(hub->context);
	move(waiter, WAITER_UNSETTLED, &hub->unsettled);
}

/* Of what is in no log a cursor without our position gets what comes from now
 * on, however long it takes to decide about the rest. */
static void set_position(const struct hub *hub, struct cursor *cursor)
{
	int64_t now = hub->window.position;

	if (!cursor->has_position || cursor->epoch != hub->epoch ||
	    cursor->position > now)
		cursor->position = now;
	cursor->has_position = true;
	cursor->epoch = hub->epoch;
}

static void set_log(const struct hub *hub, struct cursor *cursor)
{
	cursor->names_log = true;
	cursor->log = hub->log;
}

static void reset(struct hub *hub, struct waiter *waiter)
{
	if (is_read_too_many(hub, waiter, waiter->room->reset_reading))
		return;
	move(waiter, WAITER_RESETTING, &waiter->room->resetting);
	read_newest(hub, waiter->room);
}

/* Leads a waiter to where its cursor says that it belongs. */
static void decide(struct hub *hub, struct waiter *waiter)
{
	struct cursor *cursor = &waiter->cursor;

	if (!hub->ready) {
		wait_for_look(hub, waiter);
		return;
	}
	if (waiter->from_now)
		cursor->id = hub->newest;
	waiter->from_now = false;
	enum standing standing = incarnations_judge(&hub->incarnations, cursor);
	if (standing == STANDING_PASSED) {
		reset(hub, waiter);
		return;
	}
	if (standing == STANDING_UNKNOWN || cursor->id > hub->newest) {
		/* Ahead of us, or of no log that there is: the log knows. */
		wait_for_look(hub, waiter);
		return;
	}
	if (waiter->room->known && waiter->room->pruned > hub->newest) {
		/* A read saw the end of a room that we have not come to yet. */
		wait_for_look(hub, waiter);
		return;
	}
	set_log(hub, cursor);
	if (is_in_window(hub, waiter->room, cursor)) {
		answer_or_park(hub, waiter);
		return;
	}
	if (hub->closing) {
		hub_send_away(hub, waiter);
		return;
	}
	if (is_read_too_many(hub, waiter, waiter->room->reading))
		return;
	move(waiter, WAITER_READING, &waiter->room->queued);
	read_for_queued(hub, waiter->room);
}

void hub_ask(struct hub *hub, struct waiter *waiter, const struct room_name *room)
{
	assert(waiter->state == WAITER_IDLE);
	waiter->room = rooms_get(&hub->rooms, room);
	rooms_use(&hub->rooms, waiter->room);
	if (waiter->from_now)
		waiter->cursor = (struct cursor){0};
	set_position(hub, &waiter->cursor);
	if (hub->failing && !hub->ready)
		give_storage_problem(hub, waiter);
	else
		decide(hub, waiter);
}

bool hub_go_on(struct hub *hub)
{
	hub->render_left = hub->read_left = TURN_RENDER_BYTES;
	while (!list_is_empty(&hub->long_pages) && hub->render_left > 0) {
		hub->render_left -= QUEUED_COST;
		decide(hub, first_waiter(&hub->long_pages));
	}
	log_reader_go_on(hub->reader);
	return !list_is_empty(&hub->long_pages);
}

bool hub_needs_share(const struct hub *hub)
{
	return !list_is_empty(&hub->long_pages) ||
	       hub->render_left < TURN_RENDER_BYTES ||
	       hub->read_left < TURN_RENDER_BYTES;
}

bool hub_time_out(struct hub *hub, struct waiter *waiter)
{
	waiter->must_answer = true;
	if (waiter->state != WAITER_PARKED)
		return false;
	give_empty_page(hub, waiter);
	return true;
}

void hub_give_up(struct hub *hub, struct waiter *waiter)
{
	if (waiter->state == WAITER_QUEUED)
		give_problem(hub, waiter, PROBLEM_OVERLOADED,
		             "too many long pages are asked for");
	else
		give_storage_problem(hub, waiter);
}

void hub_leave(struct hub *hub, struct waiter *waiter)
{
	struct room *room = waiter->room;

	if (waiter->state == WAITER_IDLE)
		return;
	move(waiter, WAITER_IDLE, NULL);
	waiter->room = NULL;
	rooms_leave(&hub->rooms, room);
}

void hub_close(struct hub *hub, size_t waiters)
{
	size_t spread_ms = waiters / RETRIES_PER_MS;

	hub->closing = true;
	hub->retry_most_ms = spread_ms < RETRY_LEAST_MS  ? RETRY_LEAST_MS
	                     : spread_ms > RETRY_MOST_MS ? RETRY_MOST_MS
	                                                 : (int64_t)spread_ms;
}

/* From 1 to hub->retry_most_ms. */
static int64_t draw_retry_ms(const struct hub *hub)
{
	uint32_t random = 0;
	ssize_t ignored = getrandom(&random, sizeof random, 0);

	(void)ignored;
	return 1 + random % hub->retry_most_ms;
}

/* A parked waiter has everything up to now; another stays where it is. */
void hub_send_away(struct hub *hub, struct waiter *waiter)
{
	struct page_end end = {.cursor = waiter->cursor,
	                       .earliest = waiter->room->earliest,
	                       .retry_ms = draw_retry_ms(hub)};
	struct page page;

	if (waiter->state == WAITER_PARKED)
		end.cursor = place_now(hub);
	else if (hub->ready && !end.cursor.names_log)
		set_log(hub, &end.cursor);
	if (!end.cursor.names_log)
		return;
	start_page(hub, &page, waiter->room);
	struct answer *answer = finish_page(hub, waiter->room, &page, &end);
	give_page(hub, waiter, answer);
	answer_release(answer);
}

static void refuse_all(struct hub *hub, struct list *list)
{
	struct list members;

	list_init(&members);
	list_append_all(&members, list);
	while (!list_is_empty(&members))
		give_storage_problem(hub, first_waiter(&members));
}

/* Whether a read of a room saw the log that the hub follows. */
static bool is_same_log(const struct hub *hub, const struct log_read *read)
{
	return hub->ready && read->end.log == hub->log &&
	       read->end.newest >= read->held;
}

static struct answer *render_read(struct hub *hub, const struct room *room,
                                  const struct log_read *read, int64_t after,
                                  struct page_end *end)
{
	struct page page;

	end->earliest = room->earliest;
	start_page(hub, &page, room);
	for (size_t i = 0; i < read->item_count; i++) {
		const struct log_item *item = &read->items[i];
		struct text json = {read->json.data + item->at, item->size};

		if (item->id > after)
			page_add(&page, json);
	}
	return finish_page(hub, room, &page, end);
}

/* Those that were passed over are in the page's range, and are no items. */
static bool has_items_after(const struct log_read *read, int64_t id)
{
	return read->item_count > 0 &&
	       read->items[read->item_count - 1].id > id;
}

/* The page that was given last from a read: a crowd comes back with one cursor. */
struct read_page {
	struct cursor place;
	struct answer *answer; /* NULL: none yet */
};

static struct answer *page_from_read(struct hub *hub,
                                     const struct waiter *waiter,
                                     const struct log_read *read,
                                     struct page_end *end,
                                     struct read_page *last)
{
	const struct cursor *place = &waiter->cursor;

	if (last->answer != NULL && last->place.id == place->id &&
	    last->place.position == place->position)
		return last->answer;
	answer_release(last->answer);
	last->place = *place;
	last->answer = render_read(hub, waiter->room, read, place->id, end);
	hub->read_left -= (int64_t)last->answer->size;
	return last->answer;
}

/* Gives a waiter what a read of its room has found after its cursor. */
static void take_from_read(struct hub *hub, struct waiter *waiter,
                           const struct log_read *read, struct read_page *last)
{
	const struct store_page *page = &read->page;
	struct page_end end = {.cursor = waiter->cursor,
	                       .more = page->more,
	                       .gap = waiter->cursor.id < page->removed};
	int64_t upto = page->more ? page->last : page->end.newest;

	if (upto > end.cursor.id)
		end.cursor.id = upto;
	if (has_items_after(read, waiter->cursor.id) || end.gap) {
		give_page(hub, waiter,
		          page_from_read(hub, waiter, read, &end, last));
		return;
	}
	/* Nothing for this one up to here; the cursor moves on, or, if others
	 * asked from further back and filled the page, it stays and asks again. */
	waiter->cursor = end.cursor;
	decide(hub, waiter);
}

static void complain_of_read(struct hub *hub, const struct log_read *read)
{
	int64_t left_out;

	if (complaint_is_due(&hub->about_failing, &left_out))
		journal_error("Failed to read from database: %s: room_id=%.*s; "
		              "not told since the last time: %" PRId64,
		              read->error,
		              TEXT_ARGS(room_name_label(&read->room)), left_out);
}

/* Whether a read can answer; tells its waiters what else to do if not. */
static bool is_usable(struct hub *hub, const struct log_read *read,
                      struct list *asking)
{
	if (!read->good) {
		complain_of_read(hub, read);
		refuse_all(hub, asking);
		return false;
	}
	if (is_same_log(hub, read))
		return true;
	while (!list_is_empty(asking))
		wait_for_look(hub, first_waiter(asking));
	return false;
}

static void learn(struct room *room, const struct room_state *state,
                  const struct log_end *end)
{
	struct cursor at_end = {.id = end->newest, .position = INT64_MAX};
	struct news later = news_after(room, &at_end);
	const struct entry *first = news_take(&later);

	room->known = true;
	room->earliest = state->earliest;
	room->pruned = state->pruned;
	/* The first message may have come since the log was read; one from
	 * before was removed from it. */
	if (room->earliest == 0 && first != NULL)
		room->earliest = first->id;
	room_forget_pages(room);
}

/* Gives those who asked for a read their pages, until they have become too many
 * for this turn. */
static void give_from_read(struct hub *hub, struct list *asking,
                           const struct log_read *read)
{
	struct read_page last = {.answer = NULL};

	while (!list_is_empty(asking) && hub->read_left > 0) {
		struct waiter *waiter = first_waiter(asking);

		hub->read_left -= QUEUED_COST;
		/* The log may have become another one in the meantime. */
		if (waiter->cursor.log != hub->log)
			decide(hub, waiter);
		else
			take_from_read(hub, waiter, read, &last);
	}
	answer_release(last.answer);
}

static void room_was_read(void *context, struct log_read *read)
{
	struct hub *hub = context;
	struct room *room = rooms_get(&hub->rooms, &read->room);
	bool is_first_call = !read->again;

	/* Those who ask by now, after it was read, are in room->queued: so long as
	 * room->reading is set. */
	if (is_usable(hub, read, &room->asking) && is_first_call)
		learn(room, &read->page.state, &read->page.end);
	give_from_read(hub, &room->asking, read);
	read->again = !list_is_empty(&room->asking);
	if (read->again)
		return;
	room->reading = false;
	hub->reads--;
	read_for_queued(hub, room);
	rooms_leave(&hub->rooms, room);
}

static void newest_was_read(void *context, struct log_read *read)
{
	struct hub *hub = context;
	struct room *room = rooms_get(&hub->rooms, &read->room);
	struct page_end end = {.cursor = place_now(hub), .reset = true};
	struct list asking;

	read->again = hub->read_left <= 0;
	if (read->again)
		return;
	list_init(&asking);
	list_append_all(&asking, &room->reset_asking);
	room->reset_reading = false;
	hub->reads--;
	if (is_usable(hub, read, &asking)) {
		learn(room, &read->page.state, &read->page.end);
		end.more = read->page.more;
		end.cursor.id = read->end.newest;
		struct answer *answer = render_read(hub, room, read, 0, &end);
		hub->read_left -= (int64_t)answer->size;
		while (!list_is_empty(&asking))
			give_page(hub, first_waiter(&asking), answer);
		answer_release(answer);
	}
	read_newest(hub, room);
	rooms_leave(&hub->rooms, room);
}

/* Takes all that wait in a room for its messages, but for those whose read is
 * under way: they are led on when it is back. */
static void unsettle_room(struct hub *hub, struct room *room)
{
	room->known = false;
	room->from = 0;
	room->undelivered = NULL;
	list_remove(&room->dirty);
	room_forget_pages(room);
	while (!list_is_empty(&room->parked))
		wait_for_look(hub, first_waiter(&room->parked));
	while (!list_is_empty(&room->queued))
		wait_for_look(hub, first_waiter(&room->queued));
}

void hub_start_over(struct hub *hub, uint32_t log, int64_t from)
{
	hub->ready = false;
	window_clear(&hub->window, &hub->rooms);
	hub->log = log;
	incarnations_clear(&hub->incarnations);
	incarnations_add(&hub->incarnations, log, 0);
	hub->newest = from;
	hub->window.from = from;
	hub->rooms.from = 0;
	for (struct list *at = hub->rooms.all.next; at != &hub->rooms.all;
	     at = at->next)
		unsettle_room(hub, LIST_OWNER(at, struct room, all));
}

void hub_know_incarnations(struct hub *hub, const struct incarnations *list)
{
	assert(incarnations_end_with(list, hub->log));
	incarnations_copy(&hub->incarnations, list);
}

/* Of what was removed those who are parked lack only what they have never been
 * given. */
static void tell_parked(struct hub *hub, struct room *room)
{
	struct list parked;

	list_init(&parked);
	list_append_all(&parked, &room->parked);
	while (!list_is_empty(&parked)) {
		struct waiter *waiter = first_waiter(&parked);

		if (waiter->cursor.id >= room->pruned)
			move(waiter, WAITER_PARKED, &room->parked);
		else
			decide(hub, waiter);
	}
}

static void change_room(struct hub *hub, struct room *room,
                        const struct room_change *change,
                        const struct log_end *end)
{
	int64_t earliest = change->state.earliest;

	rooms_use(&hub->rooms, room);
	if (change->edited) {
		room->from = end->newest;
		window_drop(&hub->window, room, end->newest);
	} else {
		window_drop(&hub->window, room,
		            earliest > 0 ? earliest - 1 : end->newest);
	}
	learn(room, &change->state, end);
	tell_parked(hub, room);
	rooms_leave(&hub->rooms, room);
}

void hub_change_rooms(struct hub *hub, const struct room_change *changes,
                      size_t count, const struct log_end *end)
{
	/* Nothing that waits to be delivered is to be dropped. */
	hub_deliver(hub);
	for (size_t i = 0; i < count; i++) {
		struct room *room = rooms_find(&hub->rooms, &changes[i].room);

		if (room != NULL)
			change_room(hub, room, &changes[i], end);
	}
}

size_t hub_unknown_rooms(const struct hub *hub, struct room_name *rooms,
                         size_t most)
{
	const struct list *all = &hub->rooms.all;
	size_t count = 0;

	/* From the newest on, which are asked for sooner. */
	for (const struct list *at = all->previous; at != all && count < most;
	     at = at->previous) {
		const struct room *room = LIST_OWNER(at, struct room, all);

		if (!room->known)
			rooms[count++] = room->name;
	}
	return count;
}

void hub_learn(struct hub *hub, const struct room_name *rooms,
               const struct room_state *states, size_t count,
               const struct log_end *end)
{
	for (size_t i = 0; i < count; i++) {
		struct room *room = rooms_find(&hub->rooms, &rooms[i]);

		if (room != NULL)
			learn(room, &states[i], end);
	}
}

void hub_set_ready(struct hub *hub)
{
	hub->ready = true;
}

void hub_set_failing(struct hub *hub, const char *why)
{
	hub->failing = true;
	snprintf(hub->trouble, sizeof hub->trouble, "%s", why);
	refuse_all(hub, &hub->unsettled);
}

void hub_append(struct hub *hub, const struct room_name *name, int64_t id,
                struct text json)
{
	struct room *room = rooms_get(&hub->rooms, name);
	struct entry *entry;

	assert(id == 0 || id > hub->newest);
	if (id > 0)
		hub->newest = id;
	entry = window_append(&hub->window, room, id, hub->newest, json);
	rooms_settle(&hub->rooms, room);
	room_forget_pages(room);
	if (room->known && room->earliest == 0)
		room->earliest = id;
	if (room->undelivered == NULL && !list_is_empty(&room->parked)) {
		room->undelivered = entry;
		list_append(&hub->dirty, &room->dirty);
	}
}

void hub_advance(struct hub *hub, int64_t newest)
{
	if (newest > hub->newest)
		hub->newest = newest;
}

/* All who are parked in a room lack the same: what came since. */
static void deliver_room(struct hub *hub, struct room *room)
{
	const struct entry *first = room->undelivered;
	struct cursor before = {
		.id = first->id > 0 ? first->id - 1 : first->log_id,
		.position = first->position - 1,
	};
	struct answer *answer = render_news(hub, room, &before);
	struct list parked;

	room->undelivered = NULL;
	list_remove(&room->dirty);
	/* Taken out first: one that asks again at once may park anew. */
	list_init(&parked);
	list_append_all(&parked, &room->parked);
	while (!list_is_empty(&parked)) {
		struct waiter *waiter = first_waiter(&parked);

		/* One that was answered in another room a moment ago may have
		 * parked here, with a cursor that is after all this. */
		if (!news_is_there(room, &waiter->cursor))
			move(waiter, WAITER_PARKED, &room->parked);
		else
			give_page(hub, waiter, answer);
	}
	answer_release(answer);
}

void hub_deliver(struct hub *hub)
{
	while (!list_is_empty(&hub->dirty))
		deliver_room(hub, LIST_OWNER(hub->dirty.next, struct room, dirty));
	window_evict(&hub->window, &hub->rooms);
}

/* Whether a look that has found all of the log has not found the place of this
 * cursor. */
static bool is_lost(const struct hub *hub, const struct waiter *waiter)
{
	const struct cursor *cursor = &waiter->cursor;

	return !waiter->from_now &&
	       (cursor->id > hub->newest ||
	        incarnations_judge(&hub->incarnations, cursor) != STANDING_GOOD);
}

void hub_looked(struct hub *hub, int64_t look)
{
	struct list members;

	list_init(&members);
	list_append_all(&members, &hub->unsettled);
	while (!list_is_empty(&members)) {
		struct waiter *waiter = first_waiter(&members);

		if (waiter->checked_by > look)
			move(waiter, WAITER_UNSETTLED, &hub->unsettled);
		else if (hub->ready && is_lost(hub, waiter))
			reset(hub, waiter);
		else
			decide(hub, waiter);
	}
}
