#define _GNU_SOURCE 1 /* memmem */
#include "floor_message.h"

/* Only a cursor's length counts here: longroom-load sends it back. */
static const char cursor_head[] = "1.f1004f10.";
static const char cursor_middle[] = ".f1004f10.";

struct text floor_room(struct text target)
{
	static const char before[] = "/rooms/";
	size_t skip = sizeof before - 1;
	const char *at = memmem(target.data, target.size, before, skip);

	if (at == NULL)
		return (struct text){"", 0};
	at += skip;
	size_t rest = target.size - (size_t)(at - target.data);
	const char *slash = memchr(at, '/', rest);
	return (struct text){at, slash != NULL ? (size_t)(slash - at) : rest};
}

/* The text between the braces. */
static struct text members_of(struct text body)
{
	return (struct text){body.data + 1, body.size > 2 ? body.size - 2 : 0};
}

void floor_add_message(struct buffer *b, struct text room, int64_t id,
                       struct text body)
{
	buffer_add_string(b, "{\"type\":\"chat_message\",\"id\":");
	buffer_add_integer(b, id);
	buffer_add_string(b, ",\"room_id\":\"");
	buffer_add_text(b, room);
	buffer_add_string(b, "\",");
	buffer_add_text(b, members_of(body));
	buffer_add_string(b, ",\"sender_type\":\"user\",\"timestamp\":"
	                     "\"2026-01-01T00:00:00.000Z\"}");
}

static void add_cursor(struct buffer *b, int64_t id)
{
	buffer_add_string(b, cursor_head);
	buffer_add_integer(b, id);
	buffer_add_string(b, cursor_middle);
	buffer_add_integer(b, id);
}

void floor_add_page(struct buffer *b, struct text room, int64_t id,
                    struct text body)
{
	buffer_add_string(b, "{\"room_id\":\"");
	buffer_add_text(b, room);
	buffer_add_string(b, body.size > 0 ? "\",\"count\":1,\"messages\":["
	                                   : "\",\"count\":0,\"messages\":[");
	if (body.size > 0)
		floor_add_message(b, room, id, body);
	buffer_add_string(b, "],\"cursor\":\"");
	add_cursor(b, id);
	buffer_add_string(b, "\",\"earliest\":1,\"more\":false}\n");
}

void floor_add_event(struct buffer *b, struct text room, int64_t id,
                     struct text body)
{
	buffer_add_string(b, "id: ");
	add_cursor(b, id);
	buffer_add_string(b, "\ndata: ");
	floor_add_message(b, room, id, body);
	buffer_add_string(b, "\n\n");
}

void floor_add_ready(struct buffer *b, struct text room, int64_t id)
{
	buffer_add_string(b, "retry: 2000\nid: ");
	add_cursor(b, id);
	buffer_add_string(b, "\nevent: ready\ndata: {\"cursor\":\"");
	add_cursor(b, id);
	buffer_add_string(b, "\",\"rooms\":[\"");
	buffer_add_text(b, room);
	buffer_add_string(b, "\"]}\n\n");
}

int64_t floor_after(struct text target)
{
	static const char before[] = "after=1.f1004f10.";
	size_t skip = sizeof before - 1;
	const char *at = memmem(target.data, target.size, before, skip);
	const char *end = target.data + target.size;
	int64_t id = 0;

	if (at == NULL)
		return -1;
	for (at += skip; at < end && *at >= '0' && *at <= '9'; at++)
		id = id * 10 + (*at - '0');
	return id;
}
