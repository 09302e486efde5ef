#include "presence/presence_frame.h"

#include <assert.h>

#include "base/utf8.h"
#include "codec/message.h"

enum {
	PRESENCE_VERSION = 128,
	PRESENCE_ROOM = 1, /* the other kinds are those of statements */
	PRESENCE_LAST = 1, /* flag */
};

static void write_integer(struct buffer *b, uint64_t value, int bytes)
{
	char *at = buffer_reserve(b, (size_t)bytes);

	for (int i = bytes - 1; i >= 0; i--) {
		at[i] = (char)(value & 0xff);
		value >>= 8;
	}
	b->size += (size_t)bytes;
}

static void write_text(struct buffer *b, struct text text)
{
	assert(text.size <= UINT8_MAX);
	write_integer(b, text.size, 1);
	buffer_add_text(b, text);
}

void presence_frame_begin(struct presence_writer *writer, uint64_t epoch, bool is_last)
{
	buffer_clear(&writer->bytes);
	writer->room.size = 0;
	write_integer(&writer->bytes, PRESENCE_VERSION, 1);
	write_integer(&writer->bytes, epoch, 8);
	write_integer(&writer->bytes, is_last ? PRESENCE_LAST : 0, 1);
}

static void write_room(struct presence_writer *writer, const struct room_name *room)
{
	if (text_equal(room_name_text(&writer->room), room_name_text(room)))
		return;
	writer->room = *room;
	write_integer(&writer->bytes, PRESENCE_ROOM, 1);
	write_text(&writer->bytes, room_name_text(room));
}

void presence_frame_add(struct presence_writer *writer,
                        const struct statement *statement)
{
	struct buffer *b = &writer->bytes;
	int64_t count = statement->anonymous;

	write_room(writer, statement->room);
	write_integer(b, statement->kind, 1);
	if (statement->kind == STATEMENT_ANONYMOUS) {
		write_integer(b, (uint64_t)(count < PRESENCE_ANONYMOUS_MAX
		                                    ? count
		                                    : PRESENCE_ANONYMOUS_MAX), 4);
		return;
	}
	write_text(b, statement->person.user_id);
	if (statement->kind == STATEMENT_LEFT)
		return;
	write_text(b, statement->person.username);
	write_text(b, statement->person.sender_type);
}

void presence_writer_release(struct presence_writer *writer)
{
	buffer_release(&writer->bytes);
}

static bool read_integer(struct text *rest, int bytes, uint64_t *value)
{
	if (rest->size < (size_t)bytes)
		return false;
	*value = 0;
	for (int i = 0; i < bytes; i++)
		*value = *value << 8 | (unsigned char)rest->data[i];
	rest->data += bytes;
	rest->size -= (size_t)bytes;
	return true;
}

static bool read_text(struct text *rest, struct text *text)
{
	uint64_t size;

	if (!read_integer(rest, 1, &size) || size > rest->size)
		return false;
	*text = (struct text){rest->data, (size_t)size};
	rest->data += size;
	rest->size -= (size_t)size;
	return true;
}

static bool read_person_text(struct text *rest, struct text *text)
{
	return read_text(rest, text) && utf8_valid(*text) && message_is_name(*text);
}

static bool read_anonymous(struct text *rest, int64_t *count)
{
	uint64_t value;

	if (!read_integer(rest, 4, &value) || value > PRESENCE_ANONYMOUS_MAX)
		return false;
	*count = (int64_t)value;
	return true;
}

/* Reads the room, if there is one, and the kind behind it. */
static bool read_kind(struct presence_frame *frame, uint64_t *kind)
{
	struct text name;

	if (!read_integer(&frame->rest, 1, kind))
		return false;
	if (*kind != PRESENCE_ROOM)
		return frame->room.size > 0;
	return read_text(&frame->rest, &name) &&
	       room_name_parse(name, &frame->room) &&
	       read_integer(&frame->rest, 1, kind);
}

static bool read_statement(struct presence_frame *frame, struct statement *statement)
{
	struct text *rest = &frame->rest;
	struct person *person = &statement->person;
	uint64_t kind;

	*statement = (struct statement){.room = &frame->room};
	if (!read_kind(frame, &kind))
		return false;
	switch (kind) {
	case STATEMENT_HERE:
		statement->kind = STATEMENT_HERE;
		return read_person_text(rest, &person->user_id) &&
		       read_person_text(rest, &person->username) &&
		       read_person_text(rest, &person->sender_type);
	case STATEMENT_LEFT:
		statement->kind = STATEMENT_LEFT;
		return read_person_text(rest, &person->user_id);
	case STATEMENT_ANONYMOUS:
		statement->kind = STATEMENT_ANONYMOUS;
		return read_anonymous(rest, &statement->anonymous);
	default:
		return false;
	}
}

static bool read_presence_head(struct text data, struct presence_frame *frame)
{
	uint64_t version, flags;

	*frame = (struct presence_frame){.rest = data};
	if (!read_integer(&frame->rest, 1, &version) || version != PRESENCE_VERSION ||
	    !read_integer(&frame->rest, 8, &frame->epoch) || frame->epoch == 0 ||
	    !read_integer(&frame->rest, 1, &flags) || flags > PRESENCE_LAST)
		return false;
	frame->is_last = flags == PRESENCE_LAST;
	return true;
}

bool presence_frame_open(struct text data, struct presence_frame *frame)
{
	struct presence_frame trial;
	struct statement statement;

	if (data.size > PRESENCE_FRAME_MAX_BYTES || !read_presence_head(data, frame))
		return false;
	trial = *frame;
	while (trial.rest.size > 0)
		if (!read_statement(&trial, &statement))
			return false;
	return true;
}

bool presence_frame_next(struct presence_frame *frame, struct statement *statement)
{
	return frame->rest.size > 0 && read_statement(frame, statement);
}
