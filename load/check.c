#define _GNU_SOURCE 1 /* clock_gettime */
#include "check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "memory.h"

enum { COMPLAINTS_SHOWN = 10 };

void check_init(struct check *check, const struct options *options,
                struct schedule *schedule, uint32_t tag)
{
	uint32_t rooms = (uint32_t)options->rooms;
	uint32_t waiters = (uint32_t)options->waiters;
	uint32_t places = waiters * (uint32_t)options->rooms_each;

	*check = (struct check){
		.options = options,
		.schedule = schedule,
		.readers = options->check_history ? rooms : 0,
		.waiters = waiters,
		.rooms_each = (uint32_t)options->rooms_each,
	};
	mark_style_init(&check->style, tag, (size_t)options->size);
	ledger_init(&check->ledger, rooms, check->readers + places);
	check->messages = load_get((size_t)options->messages,
	                           sizeof *check->messages);
	check->newest = load_get(waiters, sizeof *check->newest);
	check->unsaved_seen = load_get(places, sizeof *check->unsaved_seen);
}

void check_release(struct check *check)
{
	for (uint32_t i = 0; i < check->waiters * check->rooms_each; i++)
		free(check->unsaved_seen[i]);
	free(check->unsaved_seen);
	free(check->newest);
	free(check->messages);
	ledger_release(&check->ledger);
	mark_style_release(&check->style);
}

void check_complain(struct check *check, const char *format, ...)
{
	va_list arguments;

	if (check->complaints++ >= COMPLAINTS_SHOWN)
		return;
	fputs("longroom-load: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputs(check->complaints == COMPLAINTS_SHOWN ? " (enough of these)\n"
	                                            : "\n",
	      stderr);
}

void check_sending(struct check *check, uint32_t number, uint32_t sender,
                   uint32_t sequence, int64_t now_ns)
{
	struct message *message = &check->messages[number];

	if (message->sent_ns != 0)
		return;
	message->sender = sender;
	message->sequence = sequence;
	message->sent_ns = now_ns;
}

size_t check_content(const struct check *check, uint32_t number, char *content)
{
	const struct message *message = &check->messages[number];
	struct mark mark = {
		.number = number,
		.sender = message->sender,
		.sequence = message->sequence,
		.room = number % check->ledger.rooms,
		.sent_ns = message->sent_ns,
	};

	return mark_write(&check->style, &mark, content);
}

/* The room of a place in the ledger. */
static const char *room_at(const struct check *check, uint32_t place)
{
	return check->options->room_names[place % check->ledger.rooms];
}

static void complain_damaged(struct check *check, uint32_t place, int64_t id,
                             const char *what)
{
	check->damaged++;
	check_complain(check, "damaged: %s: id %" PRId64 " in %s", what, id,
	               room_at(check, place));
}

void check_posted(struct check *check, uint32_t number, int64_t id)
{
	struct message *message = &check->messages[number];
	uint32_t room = number % check->ledger.rooms;

	if (message->id == id)
		return;
	if (message->id != 0)
		complain_damaged(check, room, id,
		                 "its POST's answer has another id");
	else if (!ledger_add(&check->ledger, room, id, number))
		complain_damaged(check, room, id, "two messages have this id");
	message->id = id;
}

static int64_t highest_id(const struct page *page)
{
	int64_t highest = 0;

	for (size_t i = 0; i < page->count; i++)
		if (page->items[i].id > highest)
			highest = page->items[i].id;
	return highest;
}

void check_joined(struct check *check, uint32_t follower,
                  const struct page *page)
{
	int64_t last_id = highest_id(page);
	uint32_t first = check_place(check, follower);

	if (follower < check->readers) {
		check->ledger.followers[first].last_id = last_id;
		return;
	}
	for (uint32_t i = 0; i < check->rooms_each; i++)
		ledger_join(&check->ledger, first + i, last_id);
}

void check_reads(struct check *check, uint32_t reader)
{
	ledger_join(&check->ledger, reader,
	            check->ledger.followers[reader].last_id);
}

static void complain_order(struct check *check, uint32_t place, int64_t id)
{
	check->out_of_order++;
	check_complain(check, "out of order: id %" PRId64 " in %s", id,
	               room_at(check, place));
}

/* What is in turn in its room must be so among all of the waiter's rooms. */
static void judge_across_rooms(struct check *check, uint32_t place, int64_t id)
{
	if (place < check->readers)
		return;
	int64_t *newest =
		&check->newest[(place - check->readers) / check->rooms_each];

	if (id < *newest)
		complain_order(check, place, id);
	else
		*newest = id;
}

static void judge(struct check *check, uint32_t place, int64_t id,
                  enum sighting sighting)
{
	switch (sighting) {
	case SEEN_IN_TURN:
		judge_across_rooms(check, place, id);
		break;
	case SEEN_LATE:
		complain_order(check, place, id);
		break;
	case SEEN_AGAIN:
		check->doubled++;
		check_complain(check, "doubled: id %" PRId64 " in %s", id,
		               room_at(check, place));
		break;
	case SEEN_WRONG:
		complain_damaged(check, place, id,
		                 "two messages have this id");
		break;
	}
}

static void count_delivery(struct check *check, uint32_t place,
                           uint32_t number, int64_t received_ns)
{
	if (place < check->readers) {
		check->from_history++;
		return;
	}
	check->deliveries++;
	check->last_delivery_ns = received_ns;
	latency_record(&check->latency,
	               received_ns - check->messages[number].sent_ns);
	schedule_delivered(check->schedule, number);
}

static void check_saved(struct check *check, uint32_t place, uint32_t number,
                        int64_t id, int64_t received_ns)
{
	struct message *message = &check->messages[number];

	if (message->id != 0 && message->id != id) {
		ledger_pass(&check->ledger, place, id);
		check->doubled++;
		check_complain(check, "doubled: id %" PRId64 " is id %" PRId64
		               " once more", id, message->id);
		return;
	}
	message->id = id;

	enum sighting sighting = ledger_see(&check->ledger, place, id,
	                                    number);

	judge(check, place, id, sighting);
	if (sighting == SEEN_IN_TURN || sighting == SEEN_LATE)
		count_delivery(check, place, number, received_ns);
}

/* Messages without an id have no order and need not come; but never twice. */
static void check_unsaved(struct check *check, uint32_t place,
                          uint32_t number, int64_t received_ns)
{
	unsigned char **seen = &check->unsaved_seen[place - check->readers];
	uint32_t in_room = number / check->ledger.rooms;
	unsigned char bit = (unsigned char)(1 << in_room % 8);

	if (*seen == NULL)
		*seen = load_get(check->schedule->messages /
		                                 check->ledger.rooms / 8 + 1,
		                 1);
	if ((*seen)[in_room / 8] & bit) {
		check->doubled++;
		check_complain(check, "doubled: message %" PRIu32
		               ", which is in no log", number);
		return;
	}
	(*seen)[in_room / 8] |= bit;
	check->unsaved++;
	count_delivery(check, place, number, received_ns);
}

/* What the mark says must be what was sent. */
static bool mark_is_true(const struct check *check, uint32_t place,
                         const struct mark *mark)
{
	uint32_t rooms = check->ledger.rooms;

	if (mark->number >= check->schedule->messages)
		return false;

	const struct message *message = &check->messages[mark->number];

	return mark->room == place % rooms &&
	       mark->room == mark->number % rooms &&
	       mark->sender == message->sender &&
	       mark->sequence == message->sequence &&
	       mark->sent_ns == message->sent_ns;
}

/* Finds the place of a room that the follower follows. hint: an index in the run that
 * it may have. */
static bool find_place(const struct check *check, uint32_t follower,
                       struct text room, uint32_t hint, uint32_t *place)
{
	uint32_t first = check_place(check, follower);
	uint32_t count = check_rooms(check, follower);
	uint32_t rooms = check->ledger.rooms;
	uint32_t guess = (hint % rooms + rooms - first % rooms) % rooms;

	*place = first + guess;
	if (guess < count && text_is(room, room_at(check, *place)))
		return true;
	for (*place = first; *place < first + count; ++*place)
		if (text_is(room, room_at(check, *place)))
			return true;
	*place = first;
	return false;
}

/* After a reset the page is the newest one, whatever was seen before. */
static bool is_repeated_by_reset(const struct check *check, uint32_t place,
                                 bool reset, int64_t id)
{
	return reset && id != 0 && id <= check->ledger.followers[place].last_id;
}

static void check_item(struct check *check, uint32_t follower, bool reset,
                       const struct item *item, int64_t received_ns)
{
	struct mark mark = {0};
	enum mark_reading reading = mark_read(&check->style, item->content,
	                                      &mark);
	uint32_t place;

	if (!find_place(check, follower, item->room, mark.room, &place))
		complain_damaged(check, place, item->id,
		                 "its room_id is another");
	if (is_repeated_by_reset(check, place, reset, item->id))
		return;
	if (reading == MARK_FOREIGN) {
		check->foreign++;
		if (item->id != 0)
			judge(check, place, item->id,
			      ledger_pass(&check->ledger, place, item->id));
	} else if (reading == MARK_DAMAGED ||
	           !mark_is_true(check, place, &mark)) {
		complain_damaged(check, place, item->id,
		                 "this is not what was sent");
	} else if (item->id != 0) {
		check_saved(check, place, mark.number, item->id, received_ns);
	} else if (place < check->readers) {
		complain_damaged(check, place, 0,
		                 "history has a message without an id");
	} else {
		check_unsaved(check, place, mark.number, received_ns);
	}
}

/* A page of several rooms names none. */
static bool room_is_right(const struct check *check, uint32_t follower,
                          struct text room)
{
	if (check_rooms(check, follower) > 1)
		return room.data == NULL;
	return text_is(room, room_at(check, check_place(check, follower)));
}

void check_page(struct check *check, uint32_t follower, const struct page *page,
                int64_t received_ns)
{
	check->gaps += page->gap;
	check->resets += page->reset;
	check->full_answers += page->count > 0 && follower >= check->readers;
	if (!room_is_right(check, follower, page->room))
		complain_damaged(check, check_place(check, follower), 0,
		                 "a page of another room came");
	for (size_t i = 0; i < page->count; i++)
		check_item(check, follower, page->reset, &page->items[i],
		           received_ns);
}

void check_complain_lost(struct check *check)
{
	const struct ledger *ledger = &check->ledger;

	for (uint32_t i = 0; i < ledger->followers_count; i++) {
		int64_t id = ledger_example(ledger, i);
		bool reads = i < check->readers;

		if (id != 0)
			check_complain(check, "lost: %s %" PRIu32
			               " has no id %" PRId64 " in %s",
			               reads ? "history" : "waiter",
			               reads ? i
			                     : (i - check->readers) /
			                               check->rooms_each,
			               id, room_at(check, i));
	}
}
