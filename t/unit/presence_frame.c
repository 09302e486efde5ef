/* Tests of the frames with which several longroom-pushd tell each other who is here. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "presence/presence_frame.h"

enum { EPOCH = 0x5f3a9c01, HEAD_SIZE = 10 };

#define HEAD "\x80\0\0\0\0\x5f\x3a\x9c\x01\0"
#define LOBBY "\1\5lobby"

static void statements_come_back(void **state)
{
	struct room_name lobby = room_named("lobby"), one = room_named("room_1");
	const struct statement said[] = {
		{STATEMENT_HERE, &lobby,
	         {text_of("1"), text_of("J\u00fcrgen"), text_of("bot")}, 0},
		{STATEMENT_LEFT, &lobby, {.user_id = text_of("2")}, 0},
		{STATEMENT_ANONYMOUS, &lobby, .anonymous = 300},
		{STATEMENT_ANONYMOUS, &one, .anonymous = PRESENCE_ANONYMOUS_MAX},
		{STATEMENT_LEFT, &lobby, {.user_id = text_of("3")}, 0},
	};
	struct presence_writer writer = {0};
	struct presence_frame frame;
	struct statement s;

	(void)state;
	for (int last = 0; last < 2; last++) {
		presence_frame_begin(&writer, EPOCH, last);
		for (size_t i = 0; i < LENGTH(said); i++)
			presence_frame_add(&writer, &said[i]);
		assert_true(presence_frame_open(buffer_text(&writer.bytes), &frame));
		assert_int_equal(frame.epoch, EPOCH);
		assert_int_equal(frame.is_last, last);
		for (size_t i = 0; i < LENGTH(said); i++) {
			assert_true(presence_frame_next(&frame, &s));
			assert_int_equal(s.kind, said[i].kind);
			assert_string_equal(s.room->string, said[i].room->string);
			assert_int_equal(s.anonymous, said[i].anonymous);
			assert_true(text_equal(s.person.user_id,
			                       said[i].person.user_id));
			assert_true(text_equal(s.person.username,
			                       said[i].person.username));
			assert_true(text_equal(s.person.sender_type,
			                       said[i].person.sender_type));
		}
		assert_false(presence_frame_next(&frame, &s));
	}
	presence_writer_release(&writer);
}

static void a_frame_has_this_form(void **state)
{
	static const char expected[] =
		HEAD LOBBY "\2\1" "1\3ann\4user" "\3\1" "2" "\4\0\0\1\x2c"
		"\1\1" "a" "\4\0\0\0\0";
	struct room_name lobby = room_named("lobby"), a = room_named("a");
	struct presence_writer writer = {0};

	(void)state;
	presence_frame_begin(&writer, EPOCH, false);
	presence_frame_add(&writer, &(struct statement){
		STATEMENT_HERE, &lobby,
		{text_of("1"), text_of("ann"), text_of("user")}, 0});
	presence_frame_add(&writer, &(struct statement){
		STATEMENT_LEFT, &lobby, {.user_id = text_of("2")}, 0});
	presence_frame_add(&writer, &(struct statement){
		STATEMENT_ANONYMOUS, &lobby, .anonymous = 300});
	presence_frame_add(&writer, &(struct statement){STATEMENT_ANONYMOUS, &a,
	                                                .anonymous = 0});
	assert_int_equal(writer.bytes.size, sizeof expected - 1);
	assert_memory_equal(writer.bytes.data, expected, sizeof expected - 1);
	presence_writer_release(&writer);
}

static void forged_frames_are_refused(void **state)
{
#define FORGED(why, bytes) {why, bytes, sizeof(bytes) - 1}
	static const struct {
		const char *why, *bytes;
		size_t size;
	} rows[] = {
		FORGED("empty", ""),
		FORGED("a head cut off", "\x80\0\0\0\0\0\0\0\1"),
		FORGED("of messages", "\2\0\0\0\0\0\0\0\1\0"),
		FORGED("of a later version", "\x81\0\0\0\0\0\0\0\1\0"),
		FORGED("without an epoch", "\x80\0\0\0\0\0\0\0\0\0"),
		FORGED("with an unknown flag", "\x80\0\0\0\0\0\0\0\1\2"),
		FORGED("about no room", HEAD "\3\1" "2"),
		FORGED("about a room alone", HEAD LOBBY),
		FORGED("with two rooms in a row", HEAD LOBBY LOBBY "\3\1" "2"),
		FORGED("with a number that is no room's", HEAD "\1\6room_0\3\1" "2"),
		FORGED("with an empty room name", HEAD "\1\0\3\1" "2"),
		FORGED("with an unknown kind", HEAD LOBBY "\5\1" "2"),
		FORGED("with kind 0", HEAD LOBBY "\0"),
		FORGED("with an empty user_id", HEAD LOBBY "\3\0"),
		FORGED("with a control character", HEAD LOBBY "\3\2" "2\n"),
		FORGED("with a text that is not UTF-8", HEAD LOBBY "\3\1\xff"),
		FORGED("with an empty name", HEAD LOBBY "\2\1" "2\0\4user"),
		FORGED("with a bad sender_type", HEAD LOBBY "\2\1" "2\3ann\1\x7f"),
		FORGED("with a text beyond its end", HEAD LOBBY "\3\x7f" "2"),
		FORGED("with a text that is missing", HEAD LOBBY "\2\1" "2\3ann"),
		FORGED("with too many anonymous", HEAD LOBBY "\4\0\x98\x96\x81"),
		FORGED("with half a count", HEAD LOBBY "\4\0\0\0"),
		FORGED("good, with one bad statement at its end",
		       HEAD LOBBY "\3\1" "2\3\1" "3\3\0"),
	};
#undef FORGED
	struct presence_frame frame;

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		/* In memory of its own, for the sanitizers. */
		char *copy = memory_copy(rows[i].bytes, rows[i].size);
		struct text data = {copy, rows[i].size};

		expect(!presence_frame_open(data, &frame), "a frame %s",
		       rows[i].why);
		free(copy);
	}
}

static void a_name_may_have_128_bytes(void **state)
{
	char bytes[HEAD_SIZE + 7 + 2 + 129];
	struct presence_frame frame;
	size_t start = HEAD_SIZE + 7;

	(void)state;
	memcpy(bytes, HEAD LOBBY "\3", start + 1);
	memset(bytes + start + 2, 'a', 129);
	for (size_t size = 128; size <= 129; size++) {
		bytes[start + 1] = (char)size;
		assert_int_equal(presence_frame_open(
					 (struct text){bytes, start + 2 + size},
					 &frame), size == 128);
	}
}

static void a_frame_that_is_too_large_is_refused(void **state)
{
	static const char anonymous[] = "\4\0\0\0\1";
	struct buffer bytes = {0};
	struct presence_frame frame;

	(void)state;
	buffer_add(&bytes, HEAD LOBBY, HEAD_SIZE + 7);
	while (bytes.size + 5 <= PRESENCE_FRAME_MAX_BYTES)
		buffer_add(&bytes, anonymous, 5);
	assert_true(presence_frame_open(buffer_text(&bytes), &frame));
	buffer_add(&bytes, anonymous, 5);
	assert_false(presence_frame_open(buffer_text(&bytes), &frame));
	buffer_release(&bytes);
}

int run_presence_frame(void)
{
	const struct CMUnitTest tests[] = {
		TEST("statements come back as they were said", statements_come_back),
		TEST("a frame has the form that its header says",
		     a_frame_has_this_form),
		TEST("forged frames are refused as a whole",
		     forged_frames_are_refused),
		TEST("a name may have 128 bytes, and no more",
		     a_name_may_have_128_bytes),
		TEST("a frame that is too large is refused",
		     a_frame_that_is_too_large_is_refused),
	};

	return cmocka_run_group_tests_name("presence frame", tests, NULL, NULL);
}
