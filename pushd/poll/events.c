#include "poll/events.h"

#include <inttypes.h>

#include "codec/pattern.h"

/* As Retry-After of the same problems (answering.c). */
enum { PROBLEM_RETRY_MS = 1000 };

const char events_comment[] = ":\n\n";

static void add_id(struct buffer *b, const struct cursor *cursor)
{
	if (!cursor->names_log)
		return;
	buffer_add_string(b, "id: ");
	cursor_render(cursor, b);
	buffer_add_string(b, "\n");
}

static void add_retry(struct buffer *b, int64_t retry_ms)
{
	buffer_printf(b, "retry: %" PRId64 "\n", retry_ms);
}

/* Begins a named event; its data follow, without line breaks, and two of them. */
static void begin_event(struct buffer *b, const struct cursor *cursor,
                        const char *name)
{
	add_id(b, cursor);
	buffer_add_string(b, "event: ");
	buffer_add_string(b, name);
	buffer_add_string(b, "\ndata: ");
}

static void add_name_list(struct buffer *b, const char *name, struct text names)
{
	buffer_printf(b, "\"%s\":[", name);
	buffer_add_text(b, names);
	buffer_add_string(b, "]");
}

/* Of what is said only if it applies. */
static void add_name_list_if_any(struct buffer *b, const char *name, struct text names)
{
	if (names.size == 0)
		return;
	buffer_add_string(b, ",");
	add_name_list(b, name, names);
}

static void add_ephemeral(struct buffer *b, const struct room_list *rooms,
                          const struct word_list *patterns)
{
	struct buffer names = {0};

	for (size_t i = 0; i < rooms->count; i++) {
		const struct room_name *room = &rooms->names[i];

		if (!pattern_list_matches(patterns, room->string))
			continue;
		if (names.size > 0)
			buffer_add_string(&names, ",");
		room_list_render(room, 1, &names);
	}
	add_name_list_if_any(b, "ephemeral", buffer_text(&names));
	buffer_release(&names);
}

void events_add_about(struct buffer *b, const struct room_list *rooms,
                      struct text forbidden, const struct word_list *ephemeral)
{
	struct buffer names = {0};

	if (rooms->is_all)
		buffer_add_string(&names, "\"*\"");
	else
		room_list_render(rooms->names, rooms->count, &names);
	add_name_list(b, "rooms", buffer_text(&names));
	buffer_release(&names);
	add_name_list_if_any(b, "forbidden", forbidden);
	add_ephemeral(b, rooms, ephemeral);
}

void events_add_ready(struct buffer *b, struct text about,
                      const struct delivery *delivery,
                      const struct cursor *place, unsigned retry_ms)
{
	add_retry(b, retry_ms);
	begin_event(b, place, "ready");
	buffer_add_string(b, "{\"cursor\":\"");
	cursor_render(place, b);
	buffer_add_string(b, "\",");
	buffer_add_text(b, about);
	add_name_list_if_any(b, "gap_rooms", buffer_text(&delivery->gap_rooms));
	buffer_add_string(b, "}\n\n");
}

void events_add_end(struct buffer *b, const struct cursor *cursor,
                    const char *reason, int64_t retry_ms)
{
	if (retry_ms > 0)
		add_retry(b, retry_ms);
	begin_event(b, cursor, "end");
	buffer_printf(b, "{\"reason\":\"%s\"}\n\n", reason);
}

void events_add_problem(struct buffer *b, const struct cursor *cursor,
                        const struct problem *problem)
{
	add_retry(b, PROBLEM_RETRY_MS);
	begin_event(b, cursor, "problem");
	problem_render(problem, b);
	buffer_add_string(b, "\n\n");
}

/* A client that comes back after the gap must get what follows: the place is just before
 * the first message. That is in the log, as all are that a read of it found, and does
 * not move the position. */
static struct cursor cursor_of_gap(const struct delivery *delivery)
{
	if (delivery->count == 0)
		return delivery->cursor;
	struct cursor cursor = delivery_cursor_after(delivery, 0);
	cursor.id -= cursor.id > 0;
	return cursor;
}

static void add_gap(struct buffer *b, const struct delivery *delivery)
{
	struct cursor cursor = cursor_of_gap(delivery);

	begin_event(b, &cursor, "gap");
	buffer_add_string(b, "{");
	add_name_list(b, "rooms", buffer_text(&delivery->gap_rooms));
	buffer_add_string(b, "}\n\n");
}

static void add_reset(struct buffer *b, const struct delivery *delivery)
{
	begin_event(b, &delivery->cursor, "reset");
	present_json(delivery, NULL, b);
	buffer_add_string(b, "\n\n");
}

static void add_messages(struct buffer *b, const struct delivery *delivery)
{
	for (size_t i = 0; i < (size_t)delivery->count; i++) {
		struct cursor cursor = delivery_cursor_after(delivery, i);

		add_id(b, &cursor);
		buffer_add_string(b, "data: ");
		buffer_add_text(b, delivery_message(delivery, i));
		buffer_add_string(b, "\n\n");
	}
}

static void add_cursor(struct buffer *b, const struct delivery *delivery)
{
	begin_event(b, &delivery->cursor, "cursor");
	buffer_add_string(b, "{}\n\n");
}

static void events_unref(void *form)
{
	answer_unref(form);
}

static bool is_at(const struct watched_form *form, const struct cursor *place)
{
	return form->form != NULL && form->place.id == place->id &&
	       form->place.position == place->position &&
	       form->place.log == place->log;
}

struct answer *events_of_presence(struct watched *room, const struct cursor *place,
                                  struct buffer *scratch)
{
	struct watched_form *form = &room->form;

	if (is_at(form, place))
		return form->form;
	buffer_clear(scratch);
	add_id(scratch, place);
	buffer_add_string(scratch, "data: ");
	buffer_add_text(scratch, buffer_text(&room->text));
	buffer_add_string(scratch, "\n\n");
	answer_unref(form->form);
	*form = (struct watched_form){.form = answer_chunk(buffer_text(scratch)),
	                              .unref = events_unref,
	                              .place = *place};
	return form->form;
}

struct answer *events_render(struct delivery *delivery, struct buffer *scratch)
{
	buffer_clear(scratch);
	if (delivery->gap)
		add_gap(scratch, delivery);
	if (delivery->reset)
		add_reset(scratch, delivery);
	else if (delivery->count > 0)
		add_messages(scratch, delivery);
	else if (!delivery->gap)
		add_cursor(scratch, delivery);
	struct answer *chunk = answer_chunk(buffer_text(scratch));
	delivery_keep_form(delivery, FORM_EVENTS, chunk, events_unref);
	return chunk;
}
