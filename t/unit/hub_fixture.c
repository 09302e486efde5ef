#include "hub_fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* ---- A log ---- */

void log_reader_go_on(struct log_reader *reader)
{
	(void)reader; /* give_back() sees to it */
}

void log_reader_ask(struct log_reader *reader, struct log_read *read)
{
	read->next = NULL;
	*reader->last = read;
	reader->last = &read->next;
	reader->asked++;
}

struct text name_message(const struct log_reader *reader, int64_t id)
{
	static char json[64];
	int version = reader->messages[id - 1].version;

	if (version > 0)
		snprintf(json, sizeof json, "{\"name\":\"%" PRId64 ".%d\"}", id,
		         version);
	else
		snprintf(json, sizeof json, "{\"name\":\"%" PRId64 "\"}", id);
	return text_of(json);
}

static bool is_of_room(const struct log_reader *reader, int64_t id,
                       const struct room_name *room)
{
	return strcmp(reader->messages[id - 1].room.string, room->string) == 0;
}

/* Whether the message was saved to one of the rooms that are read. */
static bool is_asked_for(const struct log_reader *reader, int64_t id,
                         const struct log_read *read)
{
	for (size_t i = 0; i < read->room_count; i++)
		if (is_of_room(reader, id, &read->rooms[i]))
			return true;
	return read->kind == READ_ALL;
}

static bool is_to_be_read(const struct log_reader *reader, int64_t id,
                          const struct log_read *read)
{
	return !reader->messages[id - 1].removed &&
	       is_asked_for(reader, id, read);
}

static void read_item(const struct log_reader *reader, struct log_read *read,
                      int64_t id)
{
	size_t at = read->json.size;

	buffer_add_text(&read->json, name_message(reader, id));
	log_read_add_item(read, id, &reader->messages[id - 1].room, at);
}

struct room_state state_of(const struct log_reader *reader,
                           const struct room_name *room)
{
	struct room_state state = {0};

	for (int64_t id = reader->newest; id >= 1; id--) {
		if (!is_of_room(reader, id, room))
			continue;
		if (!reader->messages[id - 1].removed)
			state.earliest = id;
		else if (state.pruned == 0)
			state.pruned = id;
	}
	return state;
}

/* The highest id removed from the room up to another one. */
static int64_t find_removed(const struct log_reader *reader,
                            const struct room_name *room, int64_t upto)
{
	while (upto > 0 && !(reader->messages[upto - 1].removed &&
	                     is_of_room(reader, upto, room)))
		upto--;
	return upto;
}

static int64_t find_removed_of_all(const struct log_reader *reader)
{
	int64_t id = reader->newest;

	while (id > 0 && !reader->messages[id - 1].removed)
		id--;
	return id;
}

static void add_gap(struct log_read *read, const struct room_name *room,
                    int64_t removed)
{
	if (removed > read->range.id && removed <= read->upto)
		read->gaps[read->gap_count++] = (struct room_gap){*room, removed};
}

/* Of all rooms: each room is found by its last message. */
static void find_gaps_of_all(const struct log_reader *reader,
                             struct log_read *read)
{
	for (int64_t id = reader->newest; id >= 1; id--) {
		const struct room_name *room = &reader->messages[id - 1].room;
		int64_t last = reader->newest;

		while (!is_of_room(reader, last, room))
			last--;
		if (last == id)
			add_gap(read, room, state_of(reader, room).pruned);
	}
}

static void find_gaps_and_states(const struct log_reader *reader,
                                 struct log_read *read)
{
	read->gaps = memory_get((size_t)(reader->newest + 1) * sizeof *read->gaps);
	read->states = memory_get((read->room_count + 1) * sizeof *read->states);
	for (size_t i = 0; i < read->room_count; i++)
		read->states[i] = state_of(reader, &read->rooms[i]);
	if (read->kind == READ_ALL) {
		read->states[0].pruned = find_removed_of_all(reader);
		find_gaps_of_all(reader, read);
	} else if (read->kind == READ_ROOM) {
		add_gap(read, &read->rooms[0],
		        find_removed(reader, &read->rooms[0], read->upto));
	} else {
		for (size_t i = 0; i < read->room_count; i++)
			add_gap(read, &read->rooms[i], read->states[i].pruned);
	}
}

static int64_t page_limit(const struct log_reader *reader,
                          const struct log_read *read)
{
	int64_t limit = read->range.limit;

	return reader->page_most > 0 && reader->page_most < limit
	               ? reader->page_most
	               : limit;
}

/* Where the newest few messages of the rooms begin. */
static int64_t before_newest(const struct log_reader *reader,
                             const struct log_read *read)
{
	int64_t id = reader->newest, limit = page_limit(reader, read);

	while (id > 0 && limit > 0)
		limit -= is_to_be_read(reader, id--, read);
	return id;
}

/* Executes a read, as of now. */
static void perform(const struct log_reader *reader, struct log_read *read)
{
	if (read->kind != READ_ALL)
		log_read_name_rooms(read);
	bool forward = read->range.direction == STORE_AFTER;
	int64_t id = forward ? read->range.id : before_newest(reader, read);
	int64_t count = 0, limit = page_limit(reader, read), last = id;

	if (reader->failing) {
		snprintf(read->error, sizeof read->error, "failing");
		return;
	}
	read->good = true;
	read->end = (struct log_end){.log = reader->log,
	                             .newest = reader->newest};
	read->upto = reader->newest;
	while (++id <= reader->newest) {
		if (!is_to_be_read(reader, id, read))
			continue;
		read->more = count++ == limit;
		if (read->more)
			break;
		last = id;
		if (!reader->messages[id - 1].foreign)
			read_item(reader, read, id);
	}
	if (forward && read->more)
		read->upto = last;
	find_gaps_and_states(reader, read);
	if (!forward)
		read->more = read->item_count > 0 &&
		             read->items[0].id > read->states[0].earliest;
}

void perform_next(struct log_reader *reader)
{
	struct log_read *read = reader->first;

	while (read != NULL && (read->good || read->error[0] != '\0'))
		read = read->next;
	if (read != NULL)
		perform(reader, read);
}

bool give_back(struct log_reader *reader)
{
	struct log_read *read = reader->first;

	if (read == NULL)
		return false;
	if (!read->good && read->error[0] == '\0')
		perform(reader, read);
	reader->first = read->next;
	if (reader->first == NULL)
		reader->last = &reader->first;
	reader->given = read;
	do {
		read->done(read->context, read);
		reader->again += read->again;
		if (read->again)
			hub_go_on(read->context);
	} while (read->again);
	reader->given = NULL;
	log_read_free(read);
	return true;
}

/* ---- A client that polls ---- */

void forget_answer(struct client *c)
{
	delivery_unref(c->delivery);
	c->delivery = NULL;
	free(c->cursor);
	c->cursor = NULL;
	buffer_clear(&c->names);
}

static void read_names(struct client *c)
{
	const struct delivery *delivery = c->delivery;

	for (size_t i = 0; i < (size_t)delivery->count; i++) {
		json_object *m = json_read(delivery_message(delivery, i));

		buffer_add_text(&c->names, json_text(m, "name"));
		buffer_add_string(&c->names, " ");
		json_object_put(m);
	}
}

static void take_delivery(struct waiter *waiter, struct delivery *delivery)
{
	struct client *c = LIST_OWNER(waiter, struct client, waiter);
	struct buffer cursor = {0};

	assert_int_equal(waiter->state, WAITER_IDLE);
	if (!delivery->is_several)
		assert_text(room_name_text(&delivery->room), c->room);
	forget_answer(c);
	c->answers++;
	c->status = 200;
	c->delivery = delivery_ref(delivery);
	cursor_render(&delivery->cursor, &cursor);
	c->cursor = memory_copy(cursor.data, cursor.size);
	buffer_release(&cursor);
	c->count = delivery->count;
	c->more = delivery->more;
	c->gap = delivery->gap;
	c->reset = delivery->reset;
	c->retry_ms = delivery->retry_ms;
	read_names(c);
	if (c->then != NULL)
		c->then(c);
}

static void take_refusal(struct waiter *waiter, struct problem problem)
{
	struct client *c = LIST_OWNER(waiter, struct client, waiter);

	assert_int_equal(waiter->state, WAITER_IDLE);
	forget_answer(c);
	c->answers++;
	c->status = problem_status(problem.type);
	if (c->then != NULL)
		c->then(c);
}

static const struct hub_handlers handlers = {take_delivery, take_refusal};

struct client *client_of(struct fixture *f, int which)
{
	return &f->clients[which];
}

struct feed *hold(struct fixture *f, const char *rooms, const char *forbidden)
{
	struct room_list list;

	assert_int_equal(room_list_parse(text_of(rooms), 100, &list).type,
	                 PROBLEM_NONE);
	/* Of two rooms one may be left. */
	list.is_several = list.is_several || forbidden != NULL;
	struct feed *feed = hub_hold_feed(
		&f->hub, &list, text_of(forbidden != NULL ? forbidden : ""));
	room_list_release(&list);
	return feed;
}

void ask_for(struct client *c, const char *rooms)
{
	struct hub *hub = &c->fixture->hub;
	struct feed *feed = hold(c->fixture, rooms, c->forbidden);

	if (rooms != c->room)
		snprintf(c->room, sizeof c->room, "%s", rooms);
	hub_ask(hub, &c->waiter, feed);
	hub_drop_feed(hub, feed);
}

void ask(struct client *c, const char *room, const char *after)
{
	c->waiter.from_now = strcmp(after, "now") == 0;
	c->waiter.must_answer = false;
	if (!c->waiter.from_now)
		expect(cursor_parse(text_of(after), &c->waiter.cursor), "%s",
		       after);
	ask_for(c, room);
}

void ask_again(struct client *c)
{
	char *cursor = memory_copy(c->cursor, strlen(c->cursor));

	ask(c, c->room, cursor);
	free(cursor);
}

void ask_lost(struct client *c, const char *room, const char *after)
{
	ask(c, room, after);
	assert_int_equal(c->waiter.state, WAITER_UNSETTLED);
	look(c->fixture);
	assert_int_equal(c->waiter.state, WAITER_RESETTING);
}

int64_t earliest_of(const struct client *c)
{
	return c->delivery->earliest;
}

/* ---- Feeding the hub as follower.c does ---- */

static int64_t want_look(void *context)
{
	struct fixture *f = context;

	f->wanted++;
	/* The check under way may have seen the log already. */
	return f->looks + (f->looking ? 2 : 1);
}

void begin_look(struct fixture *f)
{
	f->looking = true;
	f->look_saw = f->log.newest;
}

static void append_saved(struct fixture *f, int64_t id)
{
	struct saved *saved = &f->log.messages[id - 1];

	hub_append(&f->hub, &saved->room, id, name_message(&f->log, id));
	saved->position = f->hub.window.position;
}

void end_look(struct fixture *f)
{
	struct hub *hub = &f->hub;

	for (int64_t id = hub->newest + 1; id <= f->look_saw; id++)
		if (!f->log.messages[id - 1].removed &&
		    !f->log.messages[id - 1].foreign)
			append_saved(f, id);
	hub_advance(hub, f->look_saw, false);
	hub_deliver(hub);
	hub_set_ready(hub);
	f->looking = false;
	hub_log_checked(hub, ++f->looks);
}

void look(struct fixture *f)
{
	begin_look(f);
	end_look(f);
}

int64_t save(struct fixture *f, const char *room)
{
	assert_true(f->log.newest < MESSAGES_MAX);
	f->log.messages[f->log.newest++] =
		(struct saved){.room = room_named(room)};
	return f->log.newest;
}

int64_t say(struct fixture *f, const char *room)
{
	int64_t id = save(f, room);

	append_saved(f, id);
	hub_deliver(&f->hub);
	return id;
}

void say_many(struct fixture *f, const char *room, int count)
{
	for (int i = 0; i < count; i++)
		say(f, room);
}

void append_unsaved(struct fixture *f, const char *room)
{
	struct room_name name = room_named(room);
	char json[64];

	snprintf(json, sizeof json, "{\"name\":\"u%d\"}", ++f->unsaved);
	hub_append(&f->hub, &name, 0, text_of(json));
}

void say_unsaved(struct fixture *f, const char *room)
{
	append_unsaved(f, room);
	hub_deliver(&f->hub);
}

void append_signal(struct fixture *f, const char *room)
{
	struct room_name name = room_named(room);
	char json[64];

	snprintf(json, sizeof json, "{\"name\":\"u%d\"}", ++f->unsaved);
	hub_append_signal(&f->hub, &name, text_of(json));
}

void say_signal(struct fixture *f, const char *room)
{
	append_signal(f, room);
	hub_deliver(&f->hub);
}

void drop_window(struct fixture *f)
{
	int64_t limit = f->hub.window.limit_bytes;

	hub_set_limits(&f->hub, 0, f->hub.reads_limit);
	hub_set_limits(&f->hub, limit, f->hub.reads_limit);
}

void tell_change(struct fixture *f, const char *room, bool edited)
{
	struct log_end end = {.log = f->log.log, .newest = f->log.newest};
	struct room_change change = {.room = room_named(room),
	                             .edited = edited};

	change.state = state_of(&f->log, &change.room);
	hub_change_rooms(&f->hub, &change, 1, &end);
}

void run_reads(struct fixture *f)
{
	while (give_back(&f->log))
		;
}

void replace_log(struct fixture *f, uint32_t log, int count,
                        const char *room)
{
	f->log.log = log;
	f->log.newest = 0;
	for (int i = 0; i < count; i++)
		save(f, room);
}

struct client *park(struct fixture *f, int which, const char *room)
{
	struct client *c = client_of(f, which);

	ask(c, room, "now");
	run_reads(f);
	assert_state(c, WAITER_PARKED);
	return c;
}

/* ---- A hub ---- */

static struct fixture *fixture_new(int64_t window_bytes)
{
	const struct hub_options options = {.window_bytes = window_bytes,
	                                    .reads = INT64_MAX};
	struct fixture *f = memory_get(sizeof *f);

	f->log.log = LOG;
	f->log.last = &f->log.first;
	hub_init(&f->hub, &options, &f->log, &handlers);
	hub_follow(&f->hub, want_look, f);
	for (int i = 0; i < CLIENTS; i++) {
		f->clients[i].fixture = f;
		list_init(&f->clients[i].waiter.link);
	}
	hub_start_over(&f->hub, LOG, 0);
	return f;
}

int set_up_hub(void **state)
{
	struct fixture *f = fixture_new(WINDOW_BYTES);

	look(f);
	*state = f;
	return 0;
}

int set_up_early_hub(void **state)
{
	*state = fixture_new(WINDOW_BYTES);
	return 0;
}

int tear_down_hub(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < CLIENTS; i++) {
		f->clients[i].then = NULL;
		hub_leave(&f->hub, &f->clients[i].waiter);
	}
	run_reads(f);
	for (int i = 0; i < CLIENTS; i++) {
		forget_answer(&f->clients[i]);
		buffer_release(&f->clients[i].names);
	}
	hub_release(&f->hub);
	free(f);
	return 0;
}
