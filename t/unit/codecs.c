/* Tests of the small codecs: UTF-8, numbers, room names, cursors, parameters,
 * routes, problems. */
#include "unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "base/utf8.h"
#include "codec/cursor.h"
#include "codec/params.h"
#include "codec/problem.h"
#include "codec/route.h"

/* ---- UTF-8 ---- */

enum { LAST_CODE_POINT = 0x10ffff };

/* Encodes a number in this many bytes, whether valid or not. */
static struct text encode_in(uint32_t number, size_t length, char out[static 4])
{
	static const unsigned char leads[] = {0, 0x00, 0xc0, 0xe0, 0xf0};

	for (size_t i = length; i-- > 1; number >>= 6)
		out[i] = (char)(0x80 | (number & 0x3f));
	out[0] = (char)(leads[length] | number);
	return (struct text){out, length};
}

static size_t shortest(uint32_t point)
{
	return point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
}

static bool is_surrogate(uint32_t point)
{
	return point >= 0xd800 && point <= 0xdfff;
}

static void every_character_is_utf8(void **state)
{
	char bytes[4];

	(void)state;
	for (uint32_t point = 0; point <= LAST_CODE_POINT; point++) {
		struct text text = encode_in(point, shortest(point), bytes);
		bool valid = !is_surrogate(point);

		expect(utf8_valid(text) == valid, "U+%04" PRIX32, point);
		expect(utf8_length(text.data, text.size) ==
		               (valid ? text.size : 0),
		       "U+%04" PRIX32, point);
	}
}

static void overlong_forms_are_refused(void **state)
{
	static const uint32_t ends[] = {0, 0, 0x80, 0x800, 0x10000};
	char bytes[4];

	(void)state;
	for (size_t length = 2; length <= 4; length++)
		for (uint32_t point = 0; point < ends[length]; point++)
			expect(!utf8_valid(encode_in(point, length, bytes)),
			       "U+%04" PRIX32 " in %zu bytes", point, length);
}

static void numbers_beyond_unicode_are_refused(void **state)
{
	char bytes[4];

	(void)state;
	for (uint32_t point = LAST_CODE_POINT + 1; point < 0x200000; point++)
		expect(!utf8_valid(encode_in(point, 4, bytes)), "%" PRIX32,
		       point);
}

static void cut_off_characters_are_refused(void **state)
{
	static const uint32_t points[] = {0x80, 0x7ff, 0x800, 0xffff, 0x10000,
	                                  LAST_CODE_POINT};
	char bytes[4];

	(void)state;
	for (size_t i = 0; i < LENGTH(points); i++) {
		struct text text =
			encode_in(points[i], shortest(points[i]), bytes);

		while (--text.size > 0)
			expect(!utf8_valid(text), "U+%04" PRIX32 ", %zu bytes",
			       points[i], text.size);
	}
}

static void stray_bytes_are_refused(void **state)
{
	(void)state;
	for (int byte = 0x80; byte <= 0xff; byte++) {
		char text[] = {'a', (char)byte, 'b'};

		expect(!utf8_valid((struct text){text, sizeof text}), "%02x",
		       (unsigned)byte);
	}
}

static void no_text_is_utf8(void **state)
{
	(void)state;
	assert_true(utf8_valid((struct text){NULL, 0}));
	assert_int_equal(utf8_length("", 0), 0);
	assert_int_equal(utf8_trim((struct text){NULL, 0}).size, 0);
}

/* Unicode 15, PropList.txt, White_Space; and U+FEFF. */
static bool is_trimmed(uint32_t point)
{
	static const uint32_t white[] = {
		0x09,   0x0a,   0x0b,   0x0c,   0x0d,   0x20,   0x85,
		0xa0,   0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004,
		0x2005, 0x2006, 0x2007, 0x2008, 0x2009, 0x200a, 0x2028,
		0x2029, 0x202f, 0x205f, 0x3000, 0xfeff};

	for (size_t i = 0; i < LENGTH(white); i++)
		if (white[i] == point)
			return true;
	return false;
}

/* Trims "cc" + "xcx" + "cc" and returns the rest, in a static buffer. */
static struct text trim_around(struct text c)
{
	static struct buffer all;

	buffer_clear(&all);
	for (int i = 0; i < 5; i++) {
		buffer_add_string(&all, i == 2 || i == 3 ? "x" : "");
		buffer_add_text(&all, c);
	}
	return utf8_trim(buffer_text(&all));
}

static void white_space_is_trimmed_at_both_ends_alone(void **state)
{
	char bytes[4];

	(void)state;
	for (uint32_t point = 0; point <= LAST_CODE_POINT; point++) {
		if (is_surrogate(point))
			continue;
		struct text c = encode_in(point, shortest(point), bytes);
		struct text left = trim_around(c);
		size_t kept = is_trimmed(point) ? c.size + 2 : 5 * c.size + 2;

		expect(left.size == kept, "U+%04" PRIX32, point);
	}
}

static void white_space_alone_leaves_nothing(void **state)
{
	(void)state;
	assert_int_equal(
		utf8_trim(text_of(" \t\r\n\xc2\xa0\xe2\x80\x83\xef\xbb\xbf "))
			.size,
		0);
	assert_text(utf8_trim(text_of("  \xf0\x9f\x98\x80 ")),
	            "\xf0\x9f\x98\x80");
}

static void control_characters_are_found(void **state)
{
	(void)state;
	for (int byte = 0; byte < 0x80; byte++) {
		char text[] = {'a', (char)byte, 'b'};

		expect(utf8_has_control((struct text){text, sizeof text}) ==
		               (byte < 0x20 || byte == 0x7f),
		       "%02x", (unsigned)byte);
	}
	assert_false(utf8_has_control(text_of("\xc3\xa9\xe2\x82\xac")));
}

static void one_line_is_made_of_any_bytes(void **state)
{
	static const struct {
		const char *text, *line;
	} rows[] = {
		{"plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", NULL},
		{"a\nb\x1b[2J\x7f", "a?b?[2J?"},
		{"C1: \xc2\x85\xc2\x9b", "C1: ??"},
		{"U+2028 \xe2\x80\xa8, U+2029 \xe2\x80\xa9", "U+2028 ?, U+2029 ?"},
		/* The test is about characters that change the text's direction:
		 * NOLINTNEXTLINE(misc-misleading-bidirectional) */
		{"\xe2\x80\xaegnp.exe\xe2\x81\xa6\xe2\x80\x8f\xd8\x9c", "?gnp.exe???"},
		{"cut \xe2\x82", "cut ??"},
		{"\xff\xc0\x80", "???"},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		char bytes[64];
		size_t size = strlen(rows[i].text);

		memcpy(bytes, rows[i].text, size);
		size = utf8_flatten(bytes, size);
		assert_text(((struct text){bytes, size}),
		            rows[i].line != NULL ? rows[i].line : rows[i].text);
	}
}

/* ---- Numbers ---- */

static void numbers_are_digits_within_limits(void **state)
{
	static const struct {
		const char *text;
		int64_t least, most, number; /* number -1: refused */
	} rows[] = {
		{"0", 0, 9, 0},
		{"7", 0, 9, 7},
		{"9", 0, 9, 9},
		{"10", 0, 9, -1},
		{"1", 2, 9, -1},
		{"2", 2, 9, 2},
		{"9223372036854775807", 0, INT64_MAX, INT64_MAX},
		{"9223372036854775808", 0, INT64_MAX, -1},
		{"18446744073709551617", 0, INT64_MAX, -1},
		{"99999999999999999999999999", 0, INT64_MAX, -1},
		{"", 0, 9, -1},
		{"00", 0, 9, -1},
		{"07", 0, 9, -1},
		{"+7", 0, 9, -1},
		{"-7", 0, 9, -1},
		{"-0", 0, 9, -1},
		{" 7", 0, 9, -1},
		{"7 ", 0, 9, -1},
		{"7a", 0, 9, -1},
		{"0x7", 0, 9, -1},
		{"7.0", 0, 9, -1},
		{"1e0", 0, 9, -1},
		{"\xd9\xa7", 0, 9, -1},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		int64_t number = -1;
		bool good = number_parse(text_of(rows[i].text), rows[i].least,
		                         rows[i].most, &number);

		expect(good == (rows[i].number >= 0), "'%s'", rows[i].text);
		expect(!good || number == rows[i].number, "'%s'",
		       rows[i].text);
	}
}

static void a_number_ends_where_its_text_does(void **state)
{
	int64_t number;

	(void)state;
	assert_true(number_parse((struct text){"1234", 2}, 0, 99, &number));
	assert_int_equal(number, 12);
	assert_false(number_parse((struct text){"7\0", 2}, 0, 99, &number));
}

static void hexadecimal_has_eight_small_digits(void **state)
{
	static const char *const refused[] = {"",         "5f3a9c0",
	                                      "5f3a9c012", "5F3A9C01",
	                                      "5f3a9cg1", "0x3a9c01",
	                                      " 5f3a9c0"};
	uint32_t number;

	(void)state;
	assert_true(number_parse_hex8(text_of("5f3a9c01"), &number));
	assert_int_equal(number, 0x5f3a9c01);
	assert_true(number_parse_hex8(text_of("ffffffff"), &number));
	assert_int_equal(number, UINT32_MAX);
	for (size_t i = 0; i < LENGTH(refused); i++)
		expect(!number_parse_hex8(text_of(refused[i]), &number), "'%s'",
		       refused[i]);
}

/* ---- Room names ---- */

#define TEN "0123456789"
#define SIXTY TEN TEN TEN TEN TEN TEN

static void names_keep_their_number(void **state)
{
	static const struct {
		const char *name;
		int64_t number;
		const char *label;
	} rows[] = {
		{"room_1", 1, "1"},
		{"room_26", 26, "26"},
		{"room_9223372036854775807", INT64_MAX, "9223372036854775807"},
		{"room_12a", 0, "room_12a"},
		{"room_1.5", 0, "room_1.5"},
		{"room_-1", 0, "room_-1"},
		{"room_", 0, "room_"},
		{"room", 0, "room"},
		{"Room_26", 0, "Room_26"},
		{"26", 0, "26"},
		{"a", 0, "a"},
		{"...", 0, "..."},
		{".a", 0, ".a"},
		{"~-._", 0, "~-._"},
		{"a" SIXTY "xyz", 0, "a" SIXTY "xyz"},
	};
	struct room_name name;

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		expect(room_name_parse(text_of(rows[i].name), &name), "%s",
		       rows[i].name);
		expect(name.number == rows[i].number, "%s", rows[i].name);
		assert_string_equal(name.string, rows[i].name);
		assert_text(room_name_text(&name), rows[i].name);
		assert_text(room_name_label(&name), rows[i].label);
	}
}

static void bad_names_are_refused(void **state)
{
	static const char *const rows[] = {
		"",        ".",        "..",      "room_0",
		"room_00", "room_026", "room_9223372036854775808",
		"room_99999999999999999999999", "a" SIXTY "wxyz"};
	struct room_name name;

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++)
		expect(!room_name_parse(text_of(rows[i]), &name), "'%s'",
		       rows[i]);
}

static void names_are_of_unreserved_characters(void **state)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                              "abcdefghijklmnopqrstuvwxyz" TEN "._~-";
	struct room_name name;

	(void)state;
	for (int c = 0; c < 256; c++) {
		char text[] = {'a', (char)c, 'b'};

		expect(room_name_parse((struct text){text, sizeof text},
		                       &name) ==
		               (c != 0 && strchr(allowed, c) != NULL),
		       "%02x", (unsigned)c);
	}
}

static void a_number_makes_a_name(void **state)
{
	static const int64_t numbers[] = {1, 26, INT64_MAX};

	(void)state;
	for (size_t i = 0; i < LENGTH(numbers); i++) {
		struct room_name made, parsed;

		room_name_from_number(numbers[i], &made);
		assert_true(room_name_parse(room_name_text(&made), &parsed));
		assert_true(parsed.number == numbers[i]);
	}
}

/* ---- Cursors ---- */

static void assert_cursors_equal(const struct cursor *a, const struct cursor *b)
{
	assert_true(a->id == b->id && a->position == b->position);
	assert_true(a->names_log == b->names_log && a->log == b->log);
	assert_true(a->has_position == b->has_position && a->epoch == b->epoch);
}

static void cursors_come_back_as_they_were(void **state)
{
	static const struct {
		struct cursor cursor;
		const char *text;
	} rows[] = {
		{{.names_log = true, .log = 0x5f3a9c01, .id = 142},
	         "1.5f3a9c01.142"},
		{{.names_log = true}, "1.00000000.0"},
		{{.names_log = true,
	          .log = 0x5f3a9c01,
	          .id = 142,
	          .has_position = true,
	          .epoch = 0x9be01d22,
	          .position = 17},
	         "1.5f3a9c01.142.9be01d22.17"},
		{{.names_log = true,
	          .log = UINT32_MAX,
	          .id = INT64_MAX,
	          .has_position = true,
	          .epoch = UINT32_MAX,
	          .position = INT64_MAX},
	         "1.ffffffff.9223372036854775807.ffffffff.9223372036854775807"},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct buffer text = {0};
		struct cursor parsed;

		cursor_render(&rows[i].cursor, &text);
		assert_text(buffer_text(&text), rows[i].text);
		assert_true(text.size <= CURSOR_MAX);
		assert_true(cursor_parse(buffer_text(&text), &parsed));
		assert_cursors_equal(&parsed, &rows[i].cursor);
		buffer_release(&text);
	}
}

static void an_id_alone_is_a_cursor(void **state)
{
	struct cursor cursor;

	(void)state;
	assert_true(cursor_parse(text_of("142"), &cursor));
	assert_cursors_equal(&cursor, &(struct cursor){.id = 142});
	assert_true(cursor_parse(text_of("0"), &cursor));
	assert_true(cursor_parse(text_of("9223372036854775807"), &cursor));
	assert_true(cursor.id == INT64_MAX);
}

static void malformed_cursors_are_refused(void **state)
{
	static const char *const rows[] = {
		"",
		".",
		"..",
		"1.",
		"1..",
		"now",
		"-1",
		"+1",
		"01",
		" 1",
		"1 ",
		"9223372036854775808",
		"0.5f3a9c01.142",
		"2.5f3a9c01.142",
		"11.5f3a9c01.142",
		".5f3a9c01.142",
		"1.5f3a9c01",
		"1.5f3a9c01.",
		"1..142",
		"1.5f3a9c0.142",
		"1.5f3a9c012.142",
		"1.5F3A9C01.142",
		"1.5f3a9c01.x",
		"1.5f3a9c01.-1",
		"1.5f3a9c01.0142",
		"1.5f3a9c01.9223372036854775808",
		"1.5f3a9c01.142.",
		"1.5f3a9c01.142..",
		"1.5f3a9c01.142.9be01d22",
		"1.5f3a9c01.142.9be01d22.",
		"1.5f3a9c01.142..17",
		"1.5f3a9c01.142.9be01d2.17",
		"1.5f3a9c01.142.9BE01D22.17",
		"1.5f3a9c01.142.9be01d22.x",
		"1.5f3a9c01.142.9be01d22.017",
		"1.5f3a9c01.142.9be01d22.9223372036854775808",
		"1.5f3a9c01.142.9be01d22.17.",
		"1.5f3a9c01.142.9be01d22.17.3",
		"1.5f3a9c01.142.9be01d22.17 ",
		"1,5f3a9c01,142",
		SIXTY "1234",
		SIXTY "12345",
		"1." SIXTY "12",
		"1." SIXTY "123",
	};
	struct cursor cursor;

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++)
		expect(!cursor_parse(text_of(rows[i]), &cursor), "'%s'",
		       rows[i]);
	assert_false(cursor_parse((struct text){NULL, 0}, &cursor));
	assert_false(cursor_parse((struct text){"1\0", 2}, &cursor));
}

/* ---- Parameters ---- */

static void percent_encoding_is_decoded(void **state)
{
	static const struct {
		const char *text;
		bool plus_is_space;
		const char *decoded; /* NULL: refused */
	} rows[] = {
		{"", true, ""},          {"abc", true, "abc"},
		{"%41%62%63", true, "Abc"}, {"%c3%A9", true, "\xc3\xa9"},
		{"a+b", true, "a b"},    {"a+b", false, "a+b"},
		{"a%2bb", true, "a+b"},  {"%25", true, "%"},
		{"%2541", true, "%41"},  {"%", true, NULL},
		{"a%", true, NULL},      {"%4", true, NULL},
		{"%4g", true, NULL},     {"%g4", true, NULL},
		{"%%41", true, NULL},    {"% 41", true, NULL},
		{"%-1", true, NULL},     {"%+1", true, NULL},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct buffer decoded = {0};
		bool good = percent_decode(text_of(rows[i].text),
		                           rows[i].plus_is_space, &decoded);

		expect(good == (rows[i].decoded != NULL), "'%s'", rows[i].text);
		if (good)
			assert_text(buffer_text(&decoded), rows[i].decoded);
		buffer_release(&decoded);
	}
}

static void an_encoded_nul_is_a_byte_as_any_other(void **state)
{
	struct buffer decoded = {0};

	(void)state;
	assert_true(percent_decode(text_of("a%00b"), true, &decoded));
	assert_int_equal(decoded.size, 3);
	assert_memory_equal(decoded.data, "a\0b", 3);
	buffer_release(&decoded);
}

static void pairs_come_in_order(void **state)
{
	static const char *const expected[][2] = {
		{"a", "1"}, {"b", ""}, {"c", ""}, {"", "d"}, {"e", "f=g"}};
	struct text rest = text_of("&&a=1&b&c=&=d&&e=f=g&");
	struct param param;

	(void)state;
	for (size_t i = 0; i < LENGTH(expected); i++) {
		assert_true(params_next(&rest, &param));
		assert_text(param.name, expected[i][0]);
		assert_text(param.value, expected[i][1]);
	}
	assert_false(params_next(&rest, &param));
	assert_false(params_next(&(struct text){NULL, 0}, &param));
}

static void a_parameter_is_found_once(void **state)
{
	static const struct {
		const char *query;
		enum param_found found;
		const char *value;
	} rows[] = {
		{"", PARAM_ABSENT, ""},
		{"other=1", PARAM_ABSENT, ""},
		{"afters=1&xafter=2", PARAM_ABSENT, ""},
		{"AFTER=1", PARAM_ABSENT, ""},
		{"after=1", PARAM_FOUND, "1"},
		{"after", PARAM_FOUND, ""},
		{"after=", PARAM_FOUND, ""},
		{"x=y&after=a%20b+c&z", PARAM_FOUND, "a b c"},
		{"after=1&after=1", PARAM_TWICE, NULL},
		{"after&after", PARAM_TWICE, NULL},
		{"after=%&after=1", PARAM_TWICE, NULL},
		{"after=%4", PARAM_MALFORMED, NULL},
		{"after=%c3%a9", PARAM_FOUND, "\xc3\xa9"},
		{"after=%c3", PARAM_NOT_UTF8, NULL},
		{"after=\xff", PARAM_NOT_UTF8, NULL},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct buffer value = {0};

		expect(params_find(text_of(rows[i].query), "after", &value) ==
		               rows[i].found,
		       "'%s'", rows[i].query);
		if (rows[i].value != NULL)
			assert_text(buffer_text(&value), rows[i].value);
		buffer_release(&value);
	}
}

/* ---- Routes ---- */

static void targets_lead_to_resources(void **state)
{
	static const struct {
		const char *target;
		enum route_kind kind;
		const char *room;
		int64_t id;
		const char *query;
	} rows[] = {
		{"/rooms/room_26/messages", ROUTE_MESSAGES, "room_26", 0, ""},
		{"/rooms/a/poll", ROUTE_POLL, "a", 0, ""},
		{"/rooms/a/messages/142", ROUTE_MESSAGE, "a", 142, ""},
		{"/rooms/a/messages/9223372036854775807", ROUTE_MESSAGE, "a",
	         INT64_MAX, ""},
		{"/chat/v1/rooms/a/poll", ROUTE_POLL, "a", 0, ""},
		{"//rooms/a/poll", ROUTE_POLL, "a", 0, ""},
		{"/rooms/b/poll/rooms/a/poll", ROUTE_POLL, "a", 0, ""},
		{"/rooms/a/poll?", ROUTE_POLL, "a", 0, ""},
		{"/rooms/a/poll?after=1&x=/rooms/b/poll?", ROUTE_POLL, "a", 0,
	         "after=1&x=/rooms/b/poll?"},
		{"/rooms/%72oom_%32%36/messages", ROUTE_MESSAGES, "room_26", 0,
	         ""},
		{"/rooms/rooms/messages", ROUTE_MESSAGES, "rooms", 0, ""},
		{"/rooms/messages/messages", ROUTE_MESSAGES, "messages", 0, ""},
		{"/rooms/poll/poll", ROUTE_POLL, "poll", 0, ""},
		{"/rooms/messages/messages/7", ROUTE_MESSAGE, "messages", 7, ""},
		{"/rooms/7/messages/7", ROUTE_MESSAGE, "7", 7, ""},
		{"/rooms/a/events", ROUTE_EVENTS, "a", 0, ""},
		{"/rooms/poll/events", ROUTE_EVENTS, "poll", 0, ""},
		{"/rooms/events/poll", ROUTE_POLL, "events", 0, ""},
		{"/rooms/events/messages", ROUTE_MESSAGES, "events", 0, ""},
		{"/chat/rooms/a/events?after=now", ROUTE_EVENTS, "a", 0,
	         "after=now"},
		{"/rooms/a,b/poll", ROUTE_POLL, "a,b", 0, ""},
		{"/rooms/a%2Cb/events?x", ROUTE_EVENTS, "a%2Cb", 0, "x"},
		{"/rooms/*/events", ROUTE_EVENTS, "*", 0, ""},
		{"/rooms/a,b/presence?x", ROUTE_PRESENCE, "a,b", 0, "x"},
		{"/rooms/presence/presence", ROUTE_PRESENCE, "presence", 0, ""},
		{"/rooms/presence/poll", ROUTE_POLL, "presence", 0, ""},
		{"/rooms/%2A/poll", ROUTE_POLL, "%2A", 0, ""},
		{"/rooms//poll", ROUTE_POLL, "", 0, ""},
		{"/rooms/%/events", ROUTE_EVENTS, "%", 0, ""},
		{"/rooms/a%2fb/poll", ROUTE_POLL, "a%2fb", 0, ""},
	};
	struct route route;

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		route_parse(text_of(rows[i].target), &route);
		expect(route.kind == rows[i].kind, "%s", rows[i].target);
		expect(text_is(route_is_for_several(route.kind)
		                       ? route.rooms
		                       : room_name_text(&route.room),
		               rows[i].room),
		       "%s", rows[i].target);
		expect(route.kind != ROUTE_MESSAGE || route.id == rows[i].id,
		       "%s", rows[i].target);
		assert_text(route.query, rows[i].query);
	}
}

static void other_targets_lead_nowhere(void **state)
{
	static const char *const rows[] = {
		"",
		"/",
		"*",
		"?",
		"/?/rooms/a/poll",
		"/rooms",
		"/rooms/a",
		"/rooms/a/",
		"rooms/a/poll",
		"/room/a/poll",
		"/Rooms/a/poll",
		"/rooms/a/Poll",
		"/rooms/a/poll/",
		"/rooms/a/poll/1",
		"/rooms/a/Events",
		"/rooms/a/events/",
		"/rooms/a/events/1",
		"/rooms/a/presence/",
		"/rooms/a/presences",
		"/rooms/a/event",
		"/rooms/a/messages/",
		"/rooms/a/messages/0",
		"/rooms/a/messages/007",
		"/rooms/a/messages/-1",
		"/rooms/a/messages/x",
		"/rooms/a/messages/1/2",
		"/rooms/a/messages/9223372036854775808",
		"/rooms%2fa/poll",
		"/rooms%2fa%2fpoll",
		"/rooms/a%2fpoll",
		"/room%73/a/poll",
		"/poll",
		"/a/poll",
		"/xrooms/a/poll",
	};
	struct route route;

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		route_parse(text_of(rows[i]), &route);
		expect(route.kind == ROUTE_NONE, "'%s'", rows[i]);
	}
}

static void a_bad_room_is_told_from_a_bad_path(void **state)
{
	static const char *const rows[] = {
		"/rooms//messages",
		"/rooms/./messages",
		"/rooms/../messages",
		"/rooms/%2e%2e/messages/1",
		"/rooms/..%2f../messages",
		"/rooms/a%2fb/messages",
		"/rooms/a%2Fb/messages",
		"/rooms/a%00/messages",
		"/rooms/a%/messages",
		"/rooms/a%4/messages",
		"/rooms/a b/messages",
		"/rooms/a+b/messages",
		"/rooms/a%20b/messages",
		"/rooms/%c3%a9/messages",
		"/rooms/room_026/messages",
		"/rooms/room_0/messages/1",
		"/rooms/" SIXTY "12345/messages",
		"/rooms/a,b/messages",
		"/rooms/a%2cb/messages/1",
		"/rooms/*/messages",
	};
	struct route route;

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		route_parse(text_of(rows[i]), &route);
		expect(route.kind == ROUTE_BAD_ROOM, "%s", rows[i]);
	}
}

static void long_targets_are_read_to_their_end(void **state)
{
	struct buffer target = {0};
	struct route route;

	(void)state;
	for (int i = 0; i < 10000; i++)
		buffer_add_string(&target, "/prefix");
	buffer_add_string(&target, "/rooms/a/poll");
	route_parse(buffer_text(&target), &route);
	assert_int_equal(route.kind, ROUTE_POLL);

	buffer_clear(&target);
	buffer_add_string(&target, "/rooms/");
	for (int i = 0; i < 100000; i++)
		buffer_add_string(&target, "%61");
	buffer_add_string(&target, "/messages");
	route_parse(buffer_text(&target), &route);
	assert_int_equal(route.kind, ROUTE_BAD_ROOM);
	buffer_release(&target);
}

static void a_name_may_be_encoded_in_full(void **state)
{
	struct buffer target = {0};
	struct route route;

	(void)state;
	buffer_add_string(&target, "/rooms/");
	for (int i = 0; i < ROOM_NAME_MAX; i++)
		buffer_add_string(&target, "%61");
	buffer_add_string(&target, "/messages");
	route_parse(buffer_text(&target), &route);
	assert_int_equal(route.kind, ROUTE_MESSAGES);
	assert_int_equal(route.room.size, ROOM_NAME_MAX);
	buffer_release(&target);
}

/* ---- Problems ---- */

/* PROTOCOL section 8, as far as the programs send them. */
static const struct {
	enum problem_type type;
	const char *name;
	int status;
} problem_rows[] = {
	{PROBLEM_BAD_ROOM_NAME, "bad-room-name", 400},
	{PROBLEM_EMPTY_CONTENT, "empty-content", 400},
	{PROBLEM_NOT_JSON, "not-json", 400},
	{PROBLEM_NOT_UTF8, "not-utf8", 400},
	{PROBLEM_BAD_CURSOR, "bad-cursor", 400},
	{PROBLEM_BAD_PARAMETER, "bad-parameter", 400},
	{PROBLEM_BAD_REQUEST, "bad-request", 400},
	{PROBLEM_NOT_FOUND, "not-found", 404},
	{PROBLEM_METHOD_NOT_ALLOWED, "method-not-allowed", 405},
	{PROBLEM_CONTENT_TOO_LARGE, "content-too-large", 413},
	{PROBLEM_TARGET_TOO_LONG, "head-too-large", 414},
	{PROBLEM_HEAD_TOO_LARGE, "head-too-large", 431},
	{PROBLEM_UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", 415},
	{PROBLEM_CONFLICT, "conflict", 422},
	{PROBLEM_OVERLOADED, "overloaded", 503},
	{PROBLEM_STORAGE, "storage", 503},
};

static void problems_are_as_documented(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(problem_rows); i++) {
		struct problem problem = {problem_rows[i].type,
		                          "a \"detail\"\n"};
		struct buffer text = {0};

		problem_render(&problem, &text);
		json_object *object = json_read(buffer_text(&text));
		assert_text(json_text(object, "type"), problem_rows[i].name);
		assert_text(json_text(object, "detail"), problem.detail);
		assert_true(json_text(object, "title").size > 0);
		assert_int_equal(json_number(object, "status"),
		                 problem_rows[i].status);
		assert_int_equal(problem_status(problem.type),
		                 problem_rows[i].status);
		json_object_put(object);
		buffer_release(&text);
	}
}

static void every_status_has_a_reason(void **state)
{
	static const int others[] = {200, 201, 202, 304};

	(void)state;
	for (size_t i = 0; i < LENGTH(problem_rows); i++)
		expect(strcmp(status_reason(problem_rows[i].status),
		              "Unknown") != 0,
		       "%d", problem_rows[i].status);
	for (size_t i = 0; i < LENGTH(others); i++)
		expect(strcmp(status_reason(others[i]), "Unknown") != 0, "%d",
		       others[i]);
}

int run_codecs(void)
{
	static const struct CMUnitTest tests[] = {
		TEST("every character but the surrogates is UTF-8",
	             every_character_is_utf8),
		TEST("overlong forms are not UTF-8", overlong_forms_are_refused),
		TEST("nothing above U+10FFFF is UTF-8",
	             numbers_beyond_unicode_are_refused),
		TEST("a truncated character is not UTF-8",
	             cut_off_characters_are_refused),
		TEST("a byte above 7F between others is not UTF-8",
	             stray_bytes_are_refused),
		TEST("empty text is UTF-8", no_text_is_utf8),
		TEST("only white space is trimmed, and only at both ends",
	             white_space_is_trimmed_at_both_ends_alone),
		TEST("trimming white space alone leaves nothing",
	             white_space_alone_leaves_nothing),
		TEST("control characters are found",
	             control_characters_are_found),
		TEST("any bytes are shown readably on one line",
		     one_line_is_made_of_any_bytes),
		TEST("a number is digits without sign or leading zero, within "
	             "its limits",
	             numbers_are_digits_within_limits),
		TEST("a number ends where its text does",
	             a_number_ends_where_its_text_does),
		TEST("a hexadecimal number has eight lower-case digits",
	             hexadecimal_has_eight_small_digits),
		TEST("room_ and a number is a numbered room, other names are "
	             "names",
	             names_keep_their_number),
		TEST("empty names, long names, dots and malformed numbers are "
	             "refused",
	             bad_names_are_refused),
		TEST("names have RFC 3986's unreserved characters",
	             names_are_of_unreserved_characters),
		TEST("a numbered room's name is made from its number",
	             a_number_makes_a_name),
		TEST("a cursor survives the round trip through text",
	             cursors_come_back_as_they_were),
		TEST("an id alone is a cursor", an_id_alone_is_a_cursor),
		TEST("every malformed cursor is refused",
	             malformed_cursors_are_refused),
		TEST("percent-encoding is decoded or refused",
	             percent_encoding_is_decoded),
		TEST("an encoded NUL is a byte like any other",
	             an_encoded_nul_is_a_byte_as_any_other),
		TEST("names and values of a query are read in order",
	             pairs_come_in_order),
		TEST("a parameter that is given twice, malformed or not UTF-8 "
	             "is distinguished from a valid one",
	             a_parameter_is_found_once),
		TEST("a target is parsed from its end, under any prefix",
	             targets_lead_to_resources),
		TEST("other targets have no route", other_targets_lead_nowhere),
		TEST("a bad room name on a good path is distinguished from a "
	             "bad path",
	             a_bad_room_is_told_from_a_bad_path),
		TEST("a long target is parsed to its end",
	             long_targets_are_read_to_their_end),
		TEST("a room name may be percent-encoded in full",
	             a_name_may_be_encoded_in_full),
		TEST("problems have the types and statuses of PROTOCOL",
	             problems_are_as_documented),
		TEST("every status has a reason phrase",
	             every_status_has_a_reason),
	};

	return cmocka_run_group_tests_name("codecs", tests, NULL, NULL);
}
