#include "codec/message.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "codec/message_data.h"

bool message_is_name(struct text text)
{
	return text.size >= 1 && text.size <= MESSAGE_NAME_MAX &&
	       !utf8_has_control(text);
}

bool message_is_type(struct text text)
{
	static const char all[] = "abcdefghijklmnopqrstuvwxyz0123456789_.-";

	if (text.size < 1 || text.size > MESSAGE_TYPE_MAX ||
	    text.data[0] < 'a' || text.data[0] > 'z')
		return false;
	for (size_t i = 0; i < text.size; i++)
		if (memchr(all, text.data[i], sizeof all - 1) == NULL)
			return false;
	return true;
}

bool message_is_own_type(struct text type)
{
	static const char *const own[] = {"message_edited", "message_deleted",
	                                  "presence"};

	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		if (text_is(type, own[i]))
			return true;
	return false;
}

static void begin_message(const struct message *m, struct buffer *b)
{
	if (m->type.size == 0) {
		buffer_add_string(b, "{\"type\":\"chat_message\",\"id\":");
		return;
	}
	buffer_add_string(b, "{\"type\":");
	buffer_add_json(b, m->type);
	buffer_add_string(b, ",\"id\":");
}

/* Rows and frames may come from other programs. Data that is not what it should be
 * would make all of the page unreadable. */
static void add_data(struct text data, struct buffer *b)
{
	size_t before = b->size;

	buffer_add_string(b, ",\"data\":");
	if (!message_data_add(data, b))
		b->size = before;
}

static void add_carried(const struct message *m, struct buffer *b)
{
	if (m->data.size > 0)
		add_data(m->data, b);
	if (m->reply_to != 0) {
		buffer_add_string(b, ",\"reply_to\":");
		buffer_add_integer(b, m->reply_to);
	}
}

/* Written by hand, without a library: this runs for every message of every page of
 * history, and building a tree of objects would cost more than reading the log. */
void message_render(const struct message *m, struct buffer *b)
{
	char timestamp[CLOCK_TEXT_SIZE];

	begin_message(m, b);
	if (m->id > 0)
		buffer_add_integer(b, m->id);
	else
		buffer_add_string(b, "null");
	buffer_add_string(b, ",\"room_id\":");
	buffer_add_json(b, room_name_text(&m->room));
	buffer_add_string(b, ",\"user_id\":");
	buffer_add_json(b, m->sender_id);
	buffer_add_string(b, ",\"username\":");
	buffer_add_json(b, m->sender_name);
	buffer_add_string(b, ",\"sender_type\":");
	buffer_add_json(b, m->sender_type);
	buffer_add_string(b, ",\"content\":");
	buffer_add_json(b, m->content);
	if (m->data.size > 0 || m->reply_to != 0)
		add_carried(m, b);
	clock_text(m->sent_ms, timestamp);
	buffer_add_string(b, ",\"timestamp\":\"");
	buffer_add_string(b, timestamp);
	buffer_add_string(b, "\"");
	if (m->client_id.data != NULL) {
		buffer_add_string(b, ",\"client_id\":");
		buffer_add_json(b, m->client_id);
	}
	if (m->id == 0)
		buffer_add_string(b, ",\"saved\":false");
	buffer_add_string(b, "}");
}
