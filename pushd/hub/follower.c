#include "hub/follower.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/complaint.h"
#include "base/journal.h"
#include "base/memory.h"
#include "codec/frame.h"
#include "hub/awaited.h"
#include "metrics/metrics.h"
#include "loop/turn.h"

enum {
	FRAMES_PER_TURN = 64, /* then others have their turn in the loop */
	LONELY_MS = 2500,     /* a restart of the publisher takes less */
	STATES_MAX = 10000,   /* rooms; a tenth of a second or less */
	READ_BYTES_MAX = 4 * 1024 * 1024,
	READ_BYTES_MIN = 64 * 1024,
};

static const double look_seconds = 1.0;

struct follower {
	struct ev_loop *loop;
	struct hub *hub;
	struct log_reader *reader;
	struct bus *bus;
	struct ev_io frames;
	struct ev_timer clock;
	struct ev_timer due;      /* when signals are due; while there are any */
	struct ev_prepare ending; /* of a turn */
	struct buffer json;  /* a message from a frame, rendered */
	bool has_tail;       /* the hub was started over at the log's tail */
	bool reading;        /* a check is under way */
	int64_t began_ms;    /* when its last read was asked for; monotonic */
	bool look_again;     /* ... and another is to follow it */
	int64_t looks;       /* ended */
	int64_t seen;        /* the highest id that a frame spoke of */
	int64_t changes;     /* of the log, up to which the hub knows of them */
	int64_t upheavals;   /* ... as of the tail */
	int64_t distrusted;  /* frames up to this id may be of before a change */
	struct complaint about_frames;
	bool failure_is_told;
	struct awaited first_log;      /* that longroom-history is to make */
	struct awaited publisher;      /* on the bus */
	bool had_publisher;
	int64_t connected_ms;          /* when one was seen last; monotonic; 0: never */
	struct other_frames others;
};

static void tail_was_read(void *context, struct log_read *read);
static void log_was_read(void *context, struct log_read *read);

/* So small that the messages of one read are delivered before the window has to drop
 * any of them. */
static int64_t read_bytes(const struct follower *follower)
{
	int64_t bytes = follower->hub->window.limit_bytes / 4;

	if (bytes < READ_BYTES_MIN)
		return READ_BYTES_MIN;
	return bytes < READ_BYTES_MAX ? bytes : READ_BYTES_MAX;
}

static void read_on(struct follower *follower)
{
	struct log_read *read =
		log_read_new(follower->has_tail ? READ_LOG : READ_TAIL);

	read->held = follower->hub->newest;
	read->bytes = follower->has_tail ? read_bytes(follower)
	                                 : follower->hub->window.limit_bytes;
	read->done = follower->has_tail ? log_was_read : tail_was_read;
	read->context = follower;
	follower->seen = 0;
	follower->reading = true;
	follower->began_ms = clock_monotonic_ms();
	log_reader_ask(follower->reader, read);
}

static int64_t want_look(void *context)
{
	struct follower *follower = context;

	if (!follower->reading) {
		read_on(follower);
		return follower->looks + 1;
	}
	/* The one under way may have seen the log already. */
	follower->look_again = true;
	return follower->looks + 2;
}

static void end_look(struct follower *follower)
{
	bool again = follower->look_again ||
	             follower->seen > follower->hub->newest;

	follower->reading = false;
	follower->look_again = false;
	follower->looks++;
	hub_log_checked(follower->hub, follower->looks);
	if (again && !follower->reading)
		read_on(follower);
}

/* Either program may be started first. */
static void await_log(struct follower *follower)
{
	awaited_miss(&follower->first_log);
	if (awaited_may_tell(&follower->first_log, 0))
		journal_info("waiting for longroom-history: there is no log yet");
	if (awaited_may_warn(&follower->first_log))
		journal_warning("there is no log yet, for %d s: is longroom-history "
		                "running, with the same store.url?",
		                AWAITED_PATIENCE_MS / 1000);
}

static void tell_failure(struct follower *follower, const struct log_read *read)
{
	if (!follower->failure_is_told)
		journal_error("can't read the log: %s; trying again",
		              read->error);
	follower->failure_is_told = true;
}

static void follower_fail(struct follower *follower, const struct log_read *read)
{
	if (read->is_awaited)
		await_log(follower);
	else
		tell_failure(follower, read);
	follower->reading = false;
	follower->look_again = false;
	follower->looks++;
	hub_set_failing(follower->hub, read->error);
}

static void recover(struct follower *follower, const struct log_end *end)
{
	const char *trouble = end->newest == INT64_MAX ? store_no_id_left : "";

	hub_recover(follower->hub, trouble);
	if (follower->failure_is_told)
		journal_info("the log can be read again");
	follower->failure_is_told = false;
	awaited_came(&follower->first_log);
}

static void tail_was_read(void *context, struct log_read *read)
{
	struct follower *follower = context;

	if (!read->good) {
		follower_fail(follower, read);
		return;
	}
	recover(follower, &read->end);
	follower->has_tail = true;
	follower->changes = read->end.changes;
	follower->upheavals = read->end.upheavals;
	follower->distrusted = 0;
	hub_start_over(follower->hub, read->end.log, read->upto);
	hub_know_incarnations(follower->hub, &read->incarnations);
	read_on(follower);
}

static void append_items(struct follower *follower, const struct log_read *read)
{
	for (size_t i = 0; i < read->item_count; i++) {
		const struct log_item *item = &read->items[i];
		struct text json = {read->json.data + item->at, item->size};

		/* A frame may have been taken since the read was asked for. */
		if (item->id <= follower->hub->newest)
			continue;
		hub_append(follower->hub, &item->room, item->id, json);
		metrics_add(METRIC_PUSHD_FROM_LOG, 1);
	}
	hub_advance(follower->hub, read->upto, read->upto < read->end.newest);
	hub_deliver(follower->hub);
}

static void get_ready(struct follower *follower)
{
	journal_info("following the log");
	hub_set_ready(follower->hub);
	end_look(follower);
}

/* If it failed, or read another log, each room will be read when a client asks for
 * it. */
static void states_were_read(void *context, struct log_read *read)
{
	struct follower *follower = context;

	if (read->good && read->end.log == follower->hub->log)
		hub_learn(follower->hub, read->rooms, read->states,
		          read->room_count, &read->end);
	get_ready(follower);
}

/* Before the first answers, reads where the rooms in the window begin. Then ten
 * thousand clients that come back at once after a restart are answered from
 * memory. */
static void follower_read_states(struct follower *follower)
{
	struct log_read *read = log_read_new(READ_STATES);

	read->rooms = memory_get(STATES_MAX * sizeof *read->rooms);
	read->room_count =
		hub_unknown_rooms(follower->hub, read->rooms, STATES_MAX);
	read->done = states_were_read;
	read->context = follower;
	log_reader_ask(follower->reader, read);
}

static void start_over(struct follower *follower)
{
	follower->has_tail = false;
	read_on(follower);
}

static void go_on(struct follower *follower)
{
	struct hub *hub = follower->hub;

	if (hub->behind) {
		read_on(follower);
		return;
	}
	hub_set_complete(hub, follower->began_ms);
	if (hub->ready)
		end_look(follower);
	else
		follower_read_states(follower);
}

static void follower_read_changes(struct follower *follower);

/* Changes of another log are found when that log is read. */
static void changes_were_read(void *context, struct log_read *read)
{
	struct follower *follower = context;

	if (!read->good) {
		follower_fail(follower, read);
		return;
	}
	if (read->end.log != follower->hub->log) {
		go_on(follower);
		return;
	}
	if (read->end.upheavals != follower->upheavals) {
		journal_info("rooms were renamed or removed: refilling the window");
		start_over(follower);
		return;
	}
	/* A frame still on its way may have a message's old text. */
	follower->distrusted = read->end.newest;
	hub_change_rooms(follower->hub, read->changes, read->change_count,
	                 &read->end);
	follower->changes = read->upto;
	if (read->upto < read->end.changes)
		follower_read_changes(follower);
	else
		go_on(follower);
}

static void follower_read_changes(struct follower *follower)
{
	struct log_read *read = log_read_new(READ_CHANGES);

	read->since = follower->changes;
	read->done = changes_were_read;
	read->context = follower;
	log_reader_ask(follower->reader, read);
}

static void log_was_read(void *context, struct log_read *read)
{
	struct follower *follower = context;
	struct hub *hub = follower->hub;

	if (!read->good) {
		follower_fail(follower, read);
		return;
	}
	recover(follower, &read->end);
	if (read->end.log != hub->log || read->end.newest < read->held) {
		journal_warning("the log was replaced or restored: refilling the "
		                "window");
		start_over(follower);
		return;
	}
	append_items(follower, read);
	metrics_set(METRIC_PUSHD_LAG_MESSAGES,
	            hub->behind ? read->end.newest - hub->newest : 0);
	if (read->end.changes != follower->changes)
		follower_read_changes(follower);
	else
		go_on(follower);
}

/* Whether the log has messages before this one that the hub lacks.
 * pushd-without-repair is built without this rule; the torture test must detect
 * that. */
static bool follows_hole(const struct hub *hub, const struct message *m)
{
#ifdef LONGROOM_WITHOUT_REPAIR
	(void)hub;
	(void)m;
	return false;
#else
	return m->id - 1 > hub->newest;
#endif
}

/* Whether the message must be read from the log. */
static bool is_distrusted(const struct follower *follower,
                          const struct message *m)
{
	return m->id > follower->hub->newest && m->id <= follower->distrusted;
}

/* Takes a message that continues the log. False: there is a gap before it. */
static bool follower_take_message(struct follower *follower,
                                  const struct message *m)
{
	struct hub *hub = follower->hub;

	if (follows_hole(hub, m) || is_distrusted(follower, m))
		return false;
	if (m->id > 0 && m->id <= hub->newest)
		return true;
	buffer_clear(&follower->json);
	message_render(m, &follower->json);
	if (m->is_signal)
		hub_append_signal(hub, &m->room, buffer_text(&follower->json));
	else
		hub_append(hub, &m->room, m->id, buffer_text(&follower->json));
	metrics_add(METRIC_PUSHD_FROM_BUS, 1);
	return true;
}

static void refuse_frame(struct follower *follower)
{
	complaint_warn(&follower->about_frames,
	               "dropped an unreadable bus frame: another program publishes "
	               "on bus.subscribe");
	metrics_add(METRIC_PUSHD_FRAMES_FOREIGN, 1);
}

static void take_frame(struct follower *follower, struct text data)
{
	struct hub *hub = follower->hub;
	int64_t position = hub->window.position;
	enum frame_read found;
	struct frame frame;
	struct message m;

	if (!frame_open(data, &frame)) {
		refuse_frame(follower);
		return;
	}
	/* From a frame of another log, or before the window is filled, only messages
	 * that are in no log can be taken. */
	bool is_ours = hub->ready && frame.log == hub->log;
	bool whole = is_ours || frame.last == 0;
	while ((found = frame_next(&frame, &m)) == FRAME_MESSAGE)
		if (m.id == 0 || is_ours)
			whole = follower_take_message(follower, &m) && whole;
	/* What it would have said comes with the next look. */
	if (found == FRAME_BROKEN) {
		refuse_frame(follower);
		return;
	}
	if (whole) {
		metrics_add(hub->window.position > position
		                    ? METRIC_PUSHD_FRAMES_TAKEN
		                    : METRIC_PUSHD_FRAMES_DROPPED, 1);
		return;
	}
	metrics_add(METRIC_PUSHD_FRAMES_HOLED, 1);
	if (is_ours && frame.last > follower->seen)
		follower->seen = frame.last;
	if (!follower->reading)
		want_look(follower);
}

/* A frame of messages comes too early until the window is about to be refilled from the
 * log; an unsaved message is lost. */
static void sort_frame(struct follower *follower, struct text frame)
{
	const struct other_frames *others = &follower->others;

	if (frame.size > 0 && (unsigned char)frame.data[0] >= OTHER_FRAMES_FROM) {
		if (others->take != NULL)
			others->take(others->context, frame);
	} else if (follower->has_tail) {
		take_frame(follower, frame);
	}
}

static void take_frames(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct follower *follower = watcher->data;
	int64_t end_us = clock_monotonic_us() + TURN_US;
	struct text frame;

	(void)loop;
	(void)events;
	/* A frame may have any number of messages. */
	for (int i = 0; i < FRAMES_PER_TURN && clock_monotonic_us() < end_us;
	     i++) {
		if (!bus_receive(follower->bus, &frame))
			break;
		sort_frame(follower, frame);
		bus_release_frame(&frame);
	}
	hub_deliver(follower->hub);
}

/* The first publisher may start later than this program; one that was there is soon
 * back. */
static bool may_warn_of_bus(struct follower *follower)
{
	struct awaited *publisher = &follower->publisher;

	if (follower->had_publisher)
		return awaited_may_tell(publisher, LONELY_MS);
	if (awaited_may_tell(publisher, LONELY_MS))
		journal_info("waiting for longroom-history: no publisher on the "
		             "bus yet");
	return awaited_may_warn(publisher);
}

/* Whether longroom-history is: other publishers may be too. */
/* One of the others that has just died is counted on for a moment, while its connection
 * is gone. */
static bool publisher_is_connected(struct follower *follower)
{
	const struct other_frames *others = &follower->others;
	size_t other_count =
		others->publishers != NULL ? others->publishers(others->context) : 0;
	int64_t now_ms = clock_monotonic_ms();

	if (bus_connections(follower->bus) > other_count) {
		follower->connected_ms = now_ms;
		return true;
	}
	return other_count > 0 && now_ms - follower->connected_ms < LONELY_MS;
}

static void watch_bus(struct follower *follower)
{
	bool connected = publisher_is_connected(follower);

	metrics_set(METRIC_PUSHD_BUS, connected);
	if (connected) {
		if (awaited_came(&follower->publisher))
			journal_info("the bus is connected%s",
			             follower->had_publisher ? " again" : "");
		follower->had_publisher = true;
		return;
	}
	awaited_miss(&follower->publisher);
	if (may_warn_of_bus(follower))
		journal_warning("no publisher on the bus: messages arrive up to a "
		                "second late, unsaved ones not at all: check "
		                "bus.subscribe and longroom-history");
}

static void look_regularly(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct follower *follower = timer->data;

	(void)loop;
	(void)events;
	watch_bus(follower);
	hub_forget_old(follower->hub, clock_monotonic_ms());
	if (!follower->reading)
		read_on(follower);
}

static void give_due(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct follower *follower = timer->data;

	(void)loop;
	(void)events;
	hub_give_due(follower->hub, clock_monotonic_ms());
}

/* Signals are put off when frames arrive, and when polls do. What is due and is more
 * than a share is given after the pause. */
static void await_due(struct ev_loop *loop, struct ev_prepare *ending, int events)
{
	struct follower *follower = ending->data;
	int64_t due_ms = hub_due_ms(follower->hub);

	(void)events;
	if (due_ms == 0 || ev_is_active(&follower->due))
		return;
	int64_t left_ms = due_ms - clock_monotonic_ms();
	if (left_ms < TURN_PAUSE_MS)
		left_ms = TURN_PAUSE_MS;
	ev_timer_set(&follower->due, (double)left_ms / 1000.0, 0.0);
	ev_timer_start(loop, &follower->due);
}

struct follower *follower_start(struct ev_loop *loop, struct hub *hub,
                                struct log_reader *reader, struct bus *bus)
{
	struct follower *follower = memory_get(sizeof *follower);

	follower->loop = loop;
	follower->hub = hub;
	follower->reader = reader;
	follower->bus = bus;
	hub_follow(hub, want_look, follower);
	ev_io_init(&follower->frames, take_frames, bus_descriptor(bus), EV_READ);
	follower->frames.data = follower;
	ev_io_start(loop, &follower->frames);
	ev_timer_init(&follower->clock, look_regularly, look_seconds,
	              look_seconds);
	follower->clock.data = follower;
	ev_timer_start(loop, &follower->clock);
	ev_init(&follower->due, give_due);
	follower->due.data = follower;
	ev_prepare_init(&follower->ending, await_due);
	follower->ending.data = follower;
	ev_prepare_start(loop, &follower->ending);
	read_on(follower);
	return follower;
}

void follower_hand_on(struct follower *follower, const struct other_frames *others)
{
	follower->others = *others;
}

void follower_stop(struct follower *follower)
{
	ev_io_stop(follower->loop, &follower->frames);
	ev_timer_stop(follower->loop, &follower->clock);
	ev_timer_stop(follower->loop, &follower->due);
	ev_prepare_stop(follower->loop, &follower->ending);
	buffer_release(&follower->json);
	free(follower);
}
