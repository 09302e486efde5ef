/* Tests of the bus's frames: what goes in comes out, and other input is refused
 * or read without leaving the frame. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "codec/frame.h"

enum { LOG = 0x5f3a9c01, SEED = 20261122 };

static struct message message_with_id(int64_t id)
{
	return (struct message){
		.id = id,
		.room = room_named("room_26"),
		.sender_id = text_of("2"),
		.sender_name = text_of("ann"),
		.sender_type = text_of("user"),
		.content = text_of("Hello world"),
		.sent_ms = 1795327320123,
	};
}

static void assert_messages_equal(const struct message *a,
                                  const struct message *b)
{
	assert_true(a->id == b->id && a->sent_ms == b->sent_ms);
	assert_string_equal(a->room.string, b->room.string);
	assert_true(a->room.number == b->room.number);
	assert_true(text_equal(a->sender_id, b->sender_id));
	assert_true(text_equal(a->sender_name, b->sender_name));
	assert_true(text_equal(a->sender_type, b->sender_type));
	assert_true(text_equal(a->content, b->content));
	assert_true(text_equal(a->client_id, b->client_id));
	assert_true((a->client_id.data == NULL) == (b->client_id.data == NULL));
	assert_true(text_equal(a->type, b->type));
	assert_true(text_equal(a->data, b->data));
	assert_true(a->reply_to == b->reply_to && a->is_signal == b->is_signal);
}

/* ---- Random messages ---- */

enum { BYTES = 4096, MESSAGES_MAX = 20 };

struct source {
	struct random random;
	char bytes[BYTES];
};

static struct text random_text(struct source *source, size_t most)
{
	size_t size = random_below(&source->random, most + 1);

	return (struct text){
		source->bytes + random_below(&source->random, BYTES - size),
		size};
}

static struct room_name random_room(struct source *source)
{
	static const char *const names[] = {
		"a", "general", "room_1", "room_9223372036854775807",
		"A-very-long-name-of-sixty-four-bytes-~~~~~~~~~~~~~~~~~~~~~~~~~."};

	return room_named(names[random_below(&source->random, LENGTH(names))]);
}

/* In the log with *next as its id, or, one time in four, unsaved. */
static struct message random_message(struct source *source, int64_t *next)
{
	bool saved = random_below(&source->random, 4) > 0;
	bool has_client_id = random_below(&source->random, 2) > 0;

	return (struct message){
		.id = saved ? (*next)++ : 0,
		.room = random_room(source),
		.sender_id = random_text(source, UINT8_MAX),
		.sender_name = random_text(source, UINT8_MAX),
		.sender_type = random_text(source, UINT8_MAX),
		.content = random_text(source, 2000),
		.client_id = has_client_id ? random_text(source, UINT8_MAX)
		                           : (struct text){NULL, 0},
		.type = random_text(source, UINT8_MAX),
		.data = random_text(source, 2000),
		.reply_to = (int64_t)(random_next(&source->random) >> 1),
		.is_signal = !saved && random_below(&source->random, 2) > 0,
		.sent_ms = (int64_t)random_next(&source->random),
	};
}

static void source_init(struct source *source)
{
	source->random = random_from(SEED);
	for (size_t i = 0; i < BYTES; i++)
		source->bytes[i] = (char)random_next(&source->random);
}

/* Fills an empty buffer with a frame of these messages. */
static void make_frame(const struct message *messages, size_t count,
                       struct buffer *b)
{
	frame_begin(b, LOG);
	for (size_t i = 0; i < count; i++)
		assert_true(frame_add(b, &messages[i]));
}

static void assert_frame_has(struct text data, const struct message *messages,
                             size_t count)
{
	struct frame frame;
	struct message m;

	assert_true(frame_open(data, &frame));
	assert_int_equal(frame.log, LOG);
	assert_int_equal(frame.count, count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(frame_next(&frame, &m), FRAME_MESSAGE);
		assert_messages_equal(&m, &messages[i]);
	}
	assert_int_equal(frame_next(&frame, &m), FRAME_END);
	assert_int_equal(frame_next(&frame, &m), FRAME_END);
}

static void random_messages_come_back(void **state)
{
	struct message messages[MESSAGES_MAX];
	struct source source;

	(void)state;
	source_init(&source);
	for (int round = 0; round < 2000; round++) {
		size_t count = random_below(&source.random, MESSAGES_MAX + 1);
		int64_t next = 1 + (int64_t)random_below(&source.random, 1000);
		struct buffer b = {0};

		for (size_t i = 0; i < count; i++)
			messages[i] = random_message(&source, &next);
		make_frame(messages, count, &b);
		assert_frame_has(buffer_text(&b), messages, count);
		buffer_release(&b);
	}
}

static void the_head_says_which_ids_there_are(void **state)
{
	static const struct {
		int64_t ids[4];
		size_t count;
		int64_t first, last;
	} rows[] = {
		{{0}, 0, 0, 0},
		{{0, 0}, 2, 0, 0},
		{{7}, 1, 7, 7},
		{{7, 8, 9}, 3, 7, 9},
		{{0, 7, 0, 8}, 4, 7, 8},
		{{INT64_MAX}, 1, INT64_MAX, INT64_MAX},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct buffer b = {0};
		struct frame frame;

		frame_begin(&b, LOG);
		for (size_t at = 0; at < rows[i].count; at++) {
			struct message m = message_with_id(rows[i].ids[at]);
			assert_true(frame_add(&b, &m));
		}
		assert_true(frame_open(buffer_text(&b), &frame));
		expect(frame.first == rows[i].first &&
		               frame.last == rows[i].last,
		       "row %zu", i);
		buffer_release(&b);
	}
}

/* As longroom-history wrote it before messages carried more. */
static void a_frame_of_version_1_is_read(void **state)
{
	static const char written[] =
		"\1" "\x5f\x3a\x9c\x01" "\0\0\0\0\0\0\0\7" "\0\0\0\0\0\0\0\7"
		"\0\0\0\1" "\0\0\0\0\0\0\0\7" "\0\0\1\xa2\x06\x30\xc8\xfb"
		"\7room_26" "\1" "2" "\3" "ann" "\4user" "\1\3xyz"
		"\0\0\0\2hi";
	struct message expected = message_with_id(7);

	(void)state;
	expected.sent_ms = INT64_C(0x1a20630c8fb);
	expected.content = text_of("hi");
	expected.client_id = text_of("xyz");
	assert_frame_has((struct text){written, sizeof written - 1}, &expected, 1);
}

static void a_signal_is_in_no_log(void **state)
{
	struct message m = message_with_id(7);
	struct frame frame;
	struct buffer b = {0};

	(void)state;
	m.is_signal = true;
	make_frame(&m, 1, &b);
	assert_true(frame_open(buffer_text(&b), &frame));
	assert_int_equal(frame_next(&frame, &m), FRAME_BROKEN);
	buffer_release(&b);
}

static void ids_that_do_not_follow_are_refused(void **state)
{
	static const int64_t refused[] = {1, 6, 7, 9, INT64_MAX};
	struct message seven = message_with_id(7);
	struct buffer b = {0};

	(void)state;
	make_frame(&seven, 1, &b);
	for (size_t i = 0; i < LENGTH(refused); i++) {
		struct message m = message_with_id(refused[i]);
		size_t size = b.size;

		expect(!frame_add(&b, &m), "%lld after 7",
		       (long long)refused[i]);
		assert_int_equal(b.size, size);
	}
	assert_frame_has(buffer_text(&b), &seven, 1);
	buffer_release(&b);
}

static void texts_that_do_not_fit_are_refused(void **state)
{
	char long_text[256] = "";
	struct text fits = {long_text, 255}, too_long = {long_text, 256};
	struct message m = message_with_id(1);
	struct text *const names[] = {&m.sender_id, &m.sender_name,
	                              &m.sender_type, &m.client_id, &m.type};

	(void)state;
	for (size_t i = 0; i < LENGTH(names); i++) {
		struct text kept = *names[i];
		struct buffer b = {0};

		frame_begin(&b, LOG);
		*names[i] = too_long;
		expect(!frame_add(&b, &m), "name %zu", i);
		assert_frame_has(buffer_text(&b), NULL, 0);
		*names[i] = fits;
		expect(frame_add(&b, &m), "name %zu", i);
		assert_frame_has(buffer_text(&b), &m, 1);
		*names[i] = kept;
		buffer_release(&b);
	}
}

/* ---- Damage ---- */

static void assert_within(struct text text, struct text frame)
{
	assert_true(text.size == 0 ||
	            (text.data >= frame.data &&
	             text.data + text.size <= frame.data + frame.size));
}

/* Reads a frame as a subscriber does. Returns whether it was complete. */
static bool read_all(struct text data)
{
	enum frame_read found = FRAME_BROKEN;
	struct frame frame;
	struct message m;
	struct room_name again;

	if (!frame_open(data, &frame))
		return false;
	while ((found = frame_next(&frame, &m)) == FRAME_MESSAGE) {
		assert_within(m.sender_id, data);
		assert_within(m.sender_name, data);
		assert_within(m.sender_type, data);
		assert_within(m.client_id, data);
		assert_within(m.content, data);
		assert_within(m.type, data);
		assert_within(m.data, data);
		assert_true(m.id >= 0);
		assert_true(room_name_parse(room_name_text(&m.room), &again));
	}
	return found == FRAME_END;
}

/* The same on memory of exactly that size, so that a sanitizer sees a byte too
 * many. */
static bool read_copy(struct text data)
{
	char *copy = malloc(data.size > 0 ? data.size : 1);

	memcpy(copy, data.data, data.size);
	bool whole = read_all((struct text){copy, data.size});
	free(copy);
	return whole;
}

/* One of each kind, so that every field is in it. */
static void make_sample(struct buffer *b)
{
	struct message messages[3] = {message_with_id(7), message_with_id(0),
	                              message_with_id(8)};

	messages[1].client_id = text_of("a-client-id");
	messages[1].is_signal = true;
	messages[1].type = text_of("typing");
	messages[2].data = text_of("{\"a\":1}");
	messages[2].reply_to = 7;
	messages[2].client_id = text_of("");
	messages[2].content = text_of("");
	make_frame(messages, LENGTH(messages), b);
}

static void every_truncation_is_refused(void **state)
{
	struct buffer b = {0};

	(void)state;
	make_sample(&b);
	assert_true(read_copy(buffer_text(&b)));
	for (size_t size = 0; size < b.size; size++)
		expect(!read_copy((struct text){b.data, size}), "%zu bytes",
		       size);
	buffer_release(&b);
}

static void bytes_behind_the_last_message_are_refused(void **state)
{
	struct buffer b = {0};

	(void)state;
	make_sample(&b);
	buffer_add(&b, "", 1);
	assert_false(read_copy(buffer_text(&b)));
	buffer_release(&b);
}

static void no_wrong_byte_leads_out_of_the_frame(void **state)
{
	struct buffer b = {0};
	int refused = 0;

	(void)state;
	make_sample(&b);
	for (size_t at = 0; at < b.size; at++) {
		char right = b.data[at];

		for (int wrong = 0; wrong < 256; wrong++) {
			b.data[at] = (char)wrong;
			refused += !read_copy(buffer_text(&b));
		}
		b.data[at] = right;
	}
	/* Every version but the two that are read. */
	assert_true(refused >= 254);
	buffer_release(&b);
}

static void no_random_bytes_lead_out_of_the_frame(void **state)
{
	struct source source;

	(void)state;
	source_init(&source);
	for (int round = 0; round < 20000; round++) {
		char *bytes = source.bytes;
		size_t size = random_below(&source.random, 200);

		for (size_t i = 0; i < size; i++)
			bytes[i] = (char)random_next(&source.random);
		bytes[0] = 1;
		read_copy((struct text){bytes, size});
	}
}

static void other_versions_are_dropped(void **state)
{
	struct buffer b = {0};
	struct frame frame;

	(void)state;
	make_sample(&b);
	for (int version = 0; version < 256; version++) {
		b.data[0] = (char)version;
		expect(frame_open(buffer_text(&b), &frame) ==
		               (version == 1 || version == 2),
		       "version %d", version);
	}
	buffer_release(&b);
}

int run_frame(void)
{
	static const struct CMUnitTest tests[] = {
		TEST("messages survive the round trip through a frame",
	             random_messages_come_back),
		TEST("a frame's head has its first and last id",
	             the_head_says_which_ids_there_are),
		TEST("a frame of version 1 is read", a_frame_of_version_1_is_read),
		TEST("a signal with an id breaks its frame", a_signal_is_in_no_log),
		TEST("an id out of order is not added to a frame",
	             ids_that_do_not_follow_are_refused),
		TEST("a text longer than its size field can hold is not added "
	             "to a frame",
	             texts_that_do_not_fit_are_refused),
		TEST("a truncated frame is invalid, wherever it is cut",
	             every_truncation_is_refused),
		TEST("a frame with bytes behind its messages is invalid",
	             bytes_behind_the_last_message_are_refused),
		TEST("no wrong byte makes the reader leave the frame",
	             no_wrong_byte_leads_out_of_the_frame),
		TEST("no random bytes make the reader leave the frame",
	             no_random_bytes_lead_out_of_the_frame),
		TEST("a frame of another version is dropped",
	             other_versions_are_dropped),
	};

	return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
