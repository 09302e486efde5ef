/* Fuzzes common/frame and common/message: whatever decodes is safe to render,
 * and framed again it decodes to the same. */
#include "codec/frame.h"

#include "fuzz.h"
#include "rfc8259.h"

enum { HEAD_SIZE = 25, TIMESTAMP_SIZE = 24, DATA_DEPTH_MAX = 30 };

/* Keeps white space: what is UTF-8 comes out as it went in. */
static void check_string(json_object *object, const char *name, struct text text)
{
	struct text rendered = json_must_have(object, name);

	CLAIM(is_utf8(rendered));
	CLAIM(!is_utf8(text) || text_equal(rendered, text));
}

static void check_id(json_object *object, int64_t id)
{
	json_object *member = NULL;

	CLAIM(json_object_object_get_ex(object, "id", &member));
	CLAIM(id == 0 ? member == NULL : json_object_get_int64(member) == id);
	CLAIM(json_object_object_get_ex(object, "saved", NULL) == (id == 0));
}

/* Of the rendered message. */
struct data_member {
	struct text data; /* NULL: there is none */
	int count;
};

static void find_data(void *context, struct text name, struct text value,
                      struct text written)
{
	struct data_member *found = context;

	(void)value;
	if (!text_is(name, "data"))
		return;
	found->data = written;
	found->count++;
}

static void visit_nothing(void *context, struct text name, struct text value,
                          struct text written)
{
	(void)context;
	(void)name;
	(void)value;
	(void)written;
}

static bool may_be_data(struct text text)
{
	struct rfc8259_found all;

	return text.size > 0 && is_utf8(text) &&
	       rfc8259_read(text, visit_nothing, NULL, &all) &&
	       all.nested <= DATA_DEPTH_MAX && !all.has_nul;
}

/* What may be data comes out without white space, and nothing else does. That a member
 * comes twice is not looked for: other programs may write it. */
static void check_data(struct text json, struct text data)
{
	struct data_member found = {0};
	struct buffer expected = {0};
	struct rfc8259_found all;

	CLAIM(rfc8259_read(json, find_data, &found, &all));
	if (may_be_data(data)) {
		rfc8259_compact(data, &expected);
		CLAIM(text_equal(found.data, buffer_text(&expected)));
	}
	CLAIM(found.count == may_be_data(data));
	buffer_release(&expected);
}

static void check_carried(json_object *object, const struct message *m)
{
	json_object *member = NULL;
	bool has_reply_to = json_object_object_get_ex(object, "reply_to", &member);

	CLAIM(has_reply_to == (m->reply_to > 0));
	CLAIM(!has_reply_to || json_object_get_int64(member) == m->reply_to);
	CLAIM(!m->is_signal || m->id == 0);
	if (m->type.size > 0)
		check_string(object, "type", m->type);
	else
		CLAIM(text_is(json_must_have(object, "type"), "chat_message"));
}

static void check_json(const struct message *m)
{
	struct buffer json = {0};

	message_render(m, &json);
	json_object *object = json_must_parse(buffer_text(&json));
	check_id(object, m->id);
	check_carried(object, m);
	check_data(buffer_text(&json), m->data);
	check_string(object, "room_id", room_name_text(&m->room));
	check_string(object, "user_id", m->sender_id);
	check_string(object, "username", m->sender_name);
	check_string(object, "sender_type", m->sender_type);
	check_string(object, "content", m->content);
	CLAIM(json_must_have(object, "timestamp").size == TIMESTAMP_SIZE);
	if (m->client_id.data != NULL)
		check_string(object, "client_id", m->client_id);
	else
		CLAIM(!json_object_object_get_ex(object, "client_id", NULL));
	json_object_put(object);
	buffer_release(&json);
}

static void check_same(const struct message *a, const struct message *b)
{
	CLAIM(a->id == b->id && a->sent_ms == b->sent_ms);
	CLAIM(text_equal(room_name_text(&a->room), room_name_text(&b->room)));
	CLAIM(a->room.number == b->room.number);
	CLAIM(text_equal(a->sender_id, b->sender_id));
	CLAIM(text_equal(a->sender_name, b->sender_name));
	CLAIM(text_equal(a->sender_type, b->sender_type));
	CLAIM(text_equal(a->content, b->content));
	CLAIM((a->client_id.data == NULL) == (b->client_id.data == NULL));
	CLAIM(text_equal(a->client_id, b->client_id));
	CLAIM(text_equal(a->type, b->type));
	CLAIM(text_equal(a->data, b->data));
	CLAIM(a->reply_to == b->reply_to && a->is_signal == b->is_signal);
}

/* A frame of this message alone. */
static void check_reframed(const struct message *m, uint32_t log)
{
	struct buffer alone = {0};
	struct message again;
	struct frame frame;

	frame_begin(&alone, log);
	CLAIM(frame_add(&alone, m));
	CLAIM(frame_open(buffer_text(&alone), &frame));
	CLAIM(frame.log == log && frame.count == 1);
	CLAIM(frame.first == m->id && frame.last == m->id);
	CLAIM(frame_next(&frame, &again) == FRAME_MESSAGE);
	check_same(m, &again);
	CLAIM(frame_next(&frame, &again) == FRAME_END);
	buffer_release(&alone);
}

/* Adds to a frame of all; false, with nothing added, if longroom-history would
 * make no such frame. */
static bool add_again(struct buffer *all, const struct message *m)
{
	size_t before = all->size;
	bool added = frame_add(all, m);

	CLAIM(added || all->size == before);
	return added;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text input = input_text(data, size);
	struct buffer all = {0};
	enum frame_read read;
	bool complete = true;
	struct frame frame;
	struct message m;

	if (!frame_open(input, &frame))
		return 0;
	frame_begin(&all, frame.log);
	while ((read = frame_next(&frame, &m)) == FRAME_MESSAGE) {
		check_json(&m);
		check_reframed(&m, frame.log);
		complete = add_again(&all, &m) && complete;
	}
	/* The ids in the head are only as good as the sender; the rest has one
	 * form, unless it is of the version before. */
	if (read == FRAME_END && complete && data[0] != 1) {
		CLAIM(all.size == size);
		CLAIM(memcmp(all.data + HEAD_SIZE, data + HEAD_SIZE,
		             size - HEAD_SIZE) == 0);
	}
	buffer_release(&all);
	return 0;
}
