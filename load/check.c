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

	*check = (struct check){
		.options = options,
		.schedule = schedule,
		.readers = options->check_history ? rooms : 0,
		.waiters = waiters,
	};
	mark_style_init(&check->style, tag, (size_t)options->size);
	ledger_init(&check->ledger, rooms, check->readers + waiters);
	check->messages = load_get((size_t)options->messages,
	                           sizeof *check->messages);
	check->unsaved_seen = load_get(waiters, sizeof *check->unsaved_seen);
}

void check_release(struct check *check)
{
	for (uint32_t i = 0; i < check->waiters; i++)
		free(check->unsaved_seen[i]);
	free(check->unsaved_seen);
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

static void complain_damaged(struct check *check, uint32_t follower, int64_t id,
                             const char *what)
{
	check->damaged++;
	check_complain(check, "damaged: %s: id %" PRId64 " in %s", what, id,
	               check->options->room_names[follower %
	                                          check->ledger.rooms]);
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

	if (follower < check->readers)
		check->ledger.followers[follower].last_id = last_id;
	else
		ledger_join(&check->ledger, follower, last_id);
}

void check_reads(struct check *check, uint32_t reader)
{
	ledger_join(&check->ledger, reader,
	            check->ledger.followers[reader].last_id);
}

static void judge(struct check *check, uint32_t follower, int64_t id,
                  enum sighting sighting)
{
	const char *room =
		check->options->room_names[follower % check->ledger.rooms];

	switch (sighting) {
	case SEEN_IN_TURN:
		break;
	case SEEN_LATE:
		check->out_of_order++;
		check_complain(check, "out of order: id %" PRId64 " in %s", id,
		               room);
		break;
	case SEEN_AGAIN:
		check->doubled++;
		check_complain(check, "doubled: id %" PRId64 " in %s", id, room);
		break;
	case SEEN_WRONG:
		complain_damaged(check, follower, id,
		                 "two messages have this id");
		break;
	}
}

static void count_delivery(struct check *check, uint32_t follower,
                           uint32_t number, int64_t received_ns)
{
	if (follower < check->readers) {
		check->from_history++;
		return;
	}
	check->deliveries++;
	check->last_delivery_ns = received_ns;
	latency_record(&check->latency,
	               received_ns - check->messages[number].sent_ns);
	schedule_delivered(check->schedule, number);
}

static void check_saved(struct check *check, uint32_t follower, uint32_t number,
                        int64_t id, int64_t received_ns)
{
	struct message *message = &check->messages[number];

	if (message->id != 0 && message->id != id) {
		ledger_pass(&check->ledger, follower, id);
		check->doubled++;
		check_complain(check, "doubled: id %" PRId64 " is id %" PRId64
		               " once more", id, message->id);
		return;
	}
	message->id = id;

	enum sighting sighting = ledger_see(&check->ledger, follower, id,
	                                    number);

	judge(check, follower, id, sighting);
	if (sighting == SEEN_IN_TURN || sighting == SEEN_LATE)
		count_delivery(check, follower, number, received_ns);
}

/* Messages without an id have no order and need not come; but never twice. */
static void check_unsaved(struct check *check, uint32_t follower,
                          uint32_t number, int64_t received_ns)
{
	unsigned char **seen = &check->unsaved_seen[follower - check->readers];
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
	count_delivery(check, follower, number, received_ns);
}

/* What the mark says must be what was sent. */
static bool mark_is_true(const struct check *check, uint32_t follower,
                         const struct mark *mark)
{
	uint32_t rooms = check->ledger.rooms;

	if (mark->number >= check->schedule->messages)
		return false;

	const struct message *message = &check->messages[mark->number];

	return mark->room == follower % rooms &&
	       mark->room == mark->number % rooms &&
	       mark->sender == message->sender &&
	       mark->sequence == message->sequence &&
	       mark->sent_ns == message->sent_ns;
}

static void check_item(struct check *check, uint32_t follower,
                       const struct item *item, int64_t received_ns)
{
	struct mark mark;
	enum mark_reading reading = mark_read(&check->style, item->content,
	                                      &mark);

	if (reading == MARK_FOREIGN) {
		check->foreign++;
		if (item->id != 0)
			judge(check, follower, item->id,
			      ledger_pass(&check->ledger, follower, item->id));
	} else if (reading == MARK_DAMAGED ||
	           !mark_is_true(check, follower, &mark)) {
		complain_damaged(check, follower, item->id,
		                 "this is not what was sent");
	} else if (item->id != 0) {
		check_saved(check, follower, mark.number, item->id,
		            received_ns);
	} else if (follower < check->readers) {
		complain_damaged(check, follower, 0,
		                 "history has a message without an id");
	} else {
		check_unsaved(check, follower, mark.number, received_ns);
	}
}

/* After a reset the page is the newest one, whatever was seen before. */
static bool is_repeated_by_reset(const struct check *check, uint32_t follower,
                                 const struct page *page,
                                 const struct item *item)
{
	return page->reset && item->id != 0 &&
	       item->id <= check->ledger.followers[follower].last_id;
}

void check_page(struct check *check, uint32_t follower, const struct page *page,
                int64_t received_ns)
{
	struct text room = text_of(
		check->options->room_names[follower % check->ledger.rooms]);

	check->gaps += page->gap;
	check->resets += page->reset;
	check->full_answers += page->count > 0 && follower >= check->readers;
	if (!text_equal(page->room, room))
		complain_damaged(check, follower, 0,
		                 "a page of another room came");

	for (size_t i = 0; i < page->count; i++) {
		const struct item *item = &page->items[i];

		if (!text_equal(item->room, room))
			complain_damaged(check, follower, item->id,
			                 "its room_id is another");
		if (!is_repeated_by_reset(check, follower, page, item))
			check_item(check, follower, item, received_ns);
	}
}

void check_complain_lost(struct check *check)
{
	const struct ledger *ledger = &check->ledger;

	for (uint32_t i = 0; i < ledger->followers_count; i++) {
		int64_t id = ledger_example(ledger, i);

		if (id != 0)
			check_complain(check, "lost: %s %" PRIu32
			               " has no id %" PRId64 " in %s",
			               i < check->readers ? "history" : "waiter",
			               i < check->readers ? i
			                                  : i - check->readers,
			               id,
			               check->options->room_names[i %
			                                          ledger->rooms]);
	}
}
