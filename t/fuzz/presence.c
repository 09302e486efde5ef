/* Fuzzes pushd/presence/presence_frame: what is taken are names that may be shown, and
 * framed again it reads the same. */
#include "presence/presence_frame.h"

#include "fuzz.h"

static void check_text(struct text text)
{
	CLAIM(text.size >= 1 && text.size <= 128);
	CLAIM(is_utf8(text));
	CLAIM(!has_control(text));
}

static void check_statement(const struct statement *s)
{
	struct room_name again;

	CLAIM(room_name_parse(room_name_text(s->room), &again));
	if (s->kind == STATEMENT_ANONYMOUS) {
		CLAIM(s->anonymous >= 0 && s->anonymous <= PRESENCE_ANONYMOUS_MAX);
		return;
	}
	check_text(s->person.user_id);
	if (s->kind == STATEMENT_LEFT)
		return;
	CLAIM(s->kind == STATEMENT_HERE);
	check_text(s->person.username);
	check_text(s->person.sender_type);
}

static void check_same_statement(const struct statement *a,
                                 const struct statement *b)
{
	CLAIM(a->kind == b->kind && a->anonymous == b->anonymous);
	CLAIM(text_equal(room_name_text(a->room), room_name_text(b->room)));
	CLAIM(text_equal(a->person.user_id, b->person.user_id));
	CLAIM(text_equal(a->person.username, b->person.username));
	CLAIM(text_equal(a->person.sender_type, b->person.sender_type));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text input = input_text(data, size);
	struct presence_writer writer = {0};
	struct presence_frame frame, again;
	struct statement s, same;

	if (!presence_frame_open(input, &frame))
		return 0;
	again = frame;
	presence_frame_begin(&writer, frame.epoch, frame.is_last);
	while (presence_frame_next(&frame, &s)) {
		check_statement(&s);
		presence_frame_add(&writer, &s);
	}
	/* Whoever opened it can read all of it. */
	CLAIM(frame.rest.size == 0);
	/* Only a room that is named again is not written again. */
	CLAIM(writer.bytes.size <= size);
	frame = again;
	CLAIM(presence_frame_open(buffer_text(&writer.bytes), &again));
	CLAIM(again.epoch == frame.epoch && again.is_last == frame.is_last);
	while (presence_frame_next(&frame, &s)) {
		CLAIM(presence_frame_next(&again, &same));
		check_same_statement(&s, &same);
	}
	CLAIM(!presence_frame_next(&again, &same));
	presence_writer_release(&writer);
	return 0;
}
