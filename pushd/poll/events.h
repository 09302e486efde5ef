/* Renders server-sent events (PROTOCOL section 6; HTML standard section 9.2). Pure, but
 * for the forms that deliveries keep. */
#ifndef LONGROOM_EVENTS_H
#define LONGROOM_EVENTS_H

#include "base/word_list.h"
#include "codec/problem.h"
#include "codec/room_list.h"
#include "poll/presenter.h"
#include "presence/watching.h"

/* A comment line, which says only that the stream is alive. */
extern const char events_comment[];

/* What the first event says of the rooms: those of the list that may be read, those
 * that may not (delivery.h), and those that match the patterns of ephemeral rooms. */
void events_add_about(struct buffer *b, const struct room_list *rooms,
                      struct text forbidden, const struct word_list *ephemeral);

/* The first event, with what it says of the rooms. `place` is where the client stands
 * before the delivery. */
void events_add_ready(struct buffer *b, struct text about,
                      const struct delivery *delivery,
                      const struct cursor *place, unsigned retry_ms);

/* The last event. A cursor that does not name its log is left out, and retry_ms if it
 * is 0. */
void events_add_end(struct buffer *b, const struct cursor *cursor,
                    const char *reason, int64_t retry_ms);

/* An error in place of a status, which would end an EventSource for good. The cursor
 * as above. */
void events_add_problem(struct buffer *b, const struct cursor *cursor,
                        const struct problem *problem);

/* Returns a room's presence as one chunk with this cursor. The room has its text, and
 * keeps the chunk: all its streams share it. Borrowed. */
struct answer *events_of_presence(struct watched *room, const struct cursor *place,
                                  struct buffer *scratch);

/* Renders the events of a delivery that it does not have yet, using `scratch`. */
struct answer *events_render(struct delivery *delivery, struct buffer *scratch);

/* Returns a delivery's events as one chunk: gap, reset and each message; of an empty one
 * its cursor. The delivery keeps it, so all streams share it. Borrowed. */
static inline struct answer *events_of(struct delivery *delivery,
                                       struct buffer *scratch)
{
	struct answer *chunk = delivery_form(delivery, FORM_EVENTS);

	return chunk != NULL ? chunk : events_render(delivery, scratch);
}

#endif
