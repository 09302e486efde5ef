#include "codec/frame.h"

#include <assert.h>

enum {
	VERSION = 2,
	OLDEST_VERSION = 1,
	LOG_AT = 1,
	FIRST_AT = 5,
	LAST_AT = 13,
	COUNT_AT = 21,
	HEAD_SIZE = 25,
};

static void put(char *at, uint64_t value, int bytes)
{
	while (bytes-- > 0) {
		at[bytes] = (char)(value & 0xff);
		value >>= 8;
	}
}

static uint64_t get(const char *at, int bytes)
{
	uint64_t value = 0;

	for (int i = 0; i < bytes; i++)
		value = value << 8 | (unsigned char)at[i];
	return value;
}

static void add_number(struct buffer *b, uint64_t value, int bytes)
{
	put(buffer_reserve(b, (size_t)bytes), value, bytes);
	b->size += (size_t)bytes;
}

static void add_sized(struct buffer *b, struct text text, int size_bytes)
{
	add_number(b, text.size, size_bytes);
	buffer_add_text(b, text);
}

void frame_begin(struct buffer *b, uint32_t log)
{
	assert(b->size == 0);
	memset(buffer_reserve(b, HEAD_SIZE), 0, HEAD_SIZE);
	b->size = HEAD_SIZE;
	b->data[0] = VERSION;
	put(b->data + LOG_AT, log, 4);
}

static bool fits(const struct message *m)
{
	return m->sender_id.size <= UINT8_MAX &&
	       m->sender_name.size <= UINT8_MAX &&
	       m->sender_type.size <= UINT8_MAX &&
	       m->client_id.size <= UINT8_MAX && m->type.size <= UINT8_MAX &&
	       m->content.size <= UINT32_MAX && m->data.size <= UINT32_MAX;
}

static bool count_in(struct buffer *b, int64_t id)
{
	int64_t last = (int64_t)get(b->data + LAST_AT, 8);

	if (id > 0) {
		if (last > 0 && id != last + 1)
			return false;
		if (last == 0)
			put(b->data + FIRST_AT, (uint64_t)id, 8);
		put(b->data + LAST_AT, (uint64_t)id, 8);
	}
	put(b->data + COUNT_AT, get(b->data + COUNT_AT, 4) + 1, 4);
	return true;
}

bool frame_add(struct buffer *b, const struct message *m)
{
	if (!fits(m) || !count_in(b, m->id))
		return false;
	add_number(b, (uint64_t)m->id, 8);
	add_number(b, (uint64_t)m->sent_ms, 8);
	add_sized(b, room_name_text(&m->room), 1);
	add_sized(b, m->sender_id, 1);
	add_sized(b, m->sender_name, 1);
	add_sized(b, m->sender_type, 1);
	add_number(b, m->client_id.data != NULL, 1);
	if (m->client_id.data != NULL)
		add_sized(b, m->client_id, 1);
	add_sized(b, m->content, 4);
	add_sized(b, m->type, 1);
	add_sized(b, m->data, 4);
	add_number(b, (uint64_t)m->reply_to, 8);
	add_number(b, m->is_signal, 1);
	return true;
}

bool frame_open(struct text data, struct frame *frame)
{
	if (data.size < HEAD_SIZE || data.data[0] < OLDEST_VERSION ||
	    data.data[0] > VERSION)
		return false;
	frame->version = (uint8_t)data.data[0];
	frame->log = (uint32_t)get(data.data + LOG_AT, 4);
	frame->first = (int64_t)get(data.data + FIRST_AT, 8);
	frame->last = (int64_t)get(data.data + LAST_AT, 8);
	frame->count = (uint32_t)get(data.data + COUNT_AT, 4);
	frame->rest = (struct text){data.data + HEAD_SIZE, data.size - HEAD_SIZE};
	return (frame->first == 0) == (frame->last == 0) && frame->first >= 0 &&
	       frame->last >= frame->first;
}

static bool take_number(struct text *rest, int bytes, uint64_t *value)
{
	if (rest->size < (size_t)bytes)
		return false;
	*value = get(rest->data, bytes);
	rest->data += bytes;
	rest->size -= (size_t)bytes;
	return true;
}

static bool take_sized(struct text *rest, int size_bytes, struct text *text)
{
	uint64_t size;

	if (!take_number(rest, size_bytes, &size) || size > rest->size)
		return false;
	*text = (struct text){rest->data, (size_t)size};
	rest->data += size;
	rest->size -= (size_t)size;
	return true;
}

static bool take_client_id(struct text *rest, struct text *client_id)
{
	uint64_t given;

	*client_id = (struct text){NULL, 0};
	if (!take_number(rest, 1, &given) || given > 1)
		return false;
	return given == 0 || take_sized(rest, 1, client_id);
}

/* What version 1 lacks. */
static bool take_carried(struct text *rest, struct message *m)
{
	uint64_t reply_to, is_signal;

	if (!take_sized(rest, 1, &m->type) || !take_sized(rest, 4, &m->data) ||
	    !take_number(rest, 8, &reply_to) || reply_to > INT64_MAX ||
	    !take_number(rest, 1, &is_signal) || is_signal > 1)
		return false;
	m->reply_to = (int64_t)reply_to;
	m->is_signal = is_signal == 1;
	return !m->is_signal || m->id == 0;
}

static bool take_framed_message(struct text *rest, int version, struct message *m)
{
	uint64_t id, sent_ms;
	struct text room;

	*m = (struct message){0};
	if (!take_number(rest, 8, &id) || id > INT64_MAX ||
	    !take_number(rest, 8, &sent_ms) || !take_sized(rest, 1, &room) ||
	    !room_name_parse(room, &m->room))
		return false;
	m->id = (int64_t)id;
	m->sent_ms = (int64_t)sent_ms;
	return take_sized(rest, 1, &m->sender_id) &&
	       take_sized(rest, 1, &m->sender_name) &&
	       take_sized(rest, 1, &m->sender_type) &&
	       take_client_id(rest, &m->client_id) &&
	       take_sized(rest, 4, &m->content) &&
	       (version == 1 || take_carried(rest, m));
}

enum frame_read frame_next(struct frame *frame, struct message *m)
{
	if (frame->count == 0)
		return frame->rest.size == 0 ? FRAME_END : FRAME_BROKEN;
	frame->count--;
	return take_framed_message(&frame->rest, frame->version, m)
	               ? FRAME_MESSAGE : FRAME_BROKEN;
}
