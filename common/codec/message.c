#include "codec/message.h"

#include "base/clock.h"
#include "base/utf8.h"

bool message_is_name(struct text text)
{
	return text.size >= 1 && text.size <= MESSAGE_NAME_MAX &&
	       !utf8_has_control(text);
}

/* Written by hand, without a library: this runs for every message of every page of
 * history, and building a tree of objects would cost more than reading the log. */
void message_render(const struct message *m, struct buffer *b)
{
	char timestamp[CLOCK_TEXT_SIZE];

	buffer_add_string(b, "{\"type\":\"chat_message\",\"id\":");
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
