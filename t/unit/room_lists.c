/* Tests of the lists of rooms that requests name. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "codec/room_list.h"

#define SIXTY "012345678901234567890123456789012345678901234567890123456789"

enum { LIMIT = 100 };

static const char rule[] = "invalid room name: 1 to 64 of A-Z a-z 0-9 . _ ~ -, "
                           "and room_<number> without leading zeros";
static const char twice[] = "a room is named more than once";
static const char beside[] = "* is every room: name no other room beside it";
static const char many[] = "more rooms than limits.rooms_per_request";

/* ---- What a segment names ---- */

/* `names` with a space behind each; "*" for every room; NULL: refused, and why. */
static const struct {
	const char *segment, *names, *why;
} rows[] = {
	{"a", "a ", NULL},
	{"room_26", "room_26 ", NULL},
	{"%72oom_%32%36", "room_26 ", NULL},
	{"~", "~ ", NULL},
	{"a,b", "a b ", NULL},
	{"b,a", "b a ", NULL},
	{"room_26,team_red", "room_26 team_red ", NULL},
	{"team_red,room_26,lobby", "team_red room_26 lobby ", NULL},
	{"a%2Cb", "a b ", NULL},
	{"a%2cb", "a b ", NULL},
	{"a,b%2cc%2Cd", "a b c d ", NULL},
	{"%61%2C%62", "a b ", NULL},
	{"a,A", "a A ", NULL},
	{"room_1,room_10,1,10", "room_1 room_10 1 10 ", NULL},
	{"room_2a,room_2", "room_2a room_2 ", NULL},
	{SIXTY "abcd," SIXTY "abce", SIXTY "abcd " SIXTY "abce ", NULL},
	{"...,a", "... a ", NULL},
	{"*", "*", NULL},
	{"%2A", "*", NULL},
	{"%2a", "*", NULL},
	{"", NULL, rule},
	{",", NULL, rule},
	{",,", NULL, rule},
	{"%2C", NULL, rule},
	{",a", NULL, rule},
	{"a,", NULL, rule},
	{"a%2c", NULL, rule},
	{"a,,b", NULL, rule},
	{"a,%2Cb", NULL, rule},
	{"a, b", NULL, rule},
	{"a,+b", NULL, rule},
	{"a,%20b", NULL, rule},
	{"a;b", NULL, rule},
	{"a,room_026", NULL, rule},
	{"room_0,a", NULL, rule},
	{"a,.", NULL, rule},
	{"..,a", NULL, rule},
	{"a%2fb", NULL, rule},
	{"a,b%00", NULL, rule},
	{"%00", NULL, rule},
	{"a,%c3%a9", NULL, rule},
	{"a,\xff", NULL, rule},
	{"a,%", NULL, rule},
	{"a,%2", NULL, rule},
	{"a%2,b", NULL, rule},
	{"%%2C", NULL, rule},
	{"a%252Cb", NULL, rule},
	{"a," SIXTY "abcde", NULL, rule},
	{"**", NULL, rule},
	{"a*", NULL, rule},
	{"a,a*", NULL, rule},
	{"a?", NULL, rule},
	{"*,a", NULL, beside},
	{"a,*", NULL, beside},
	{"%2A,a", NULL, beside},
	{"a%2C%2a", NULL, beside},
	{"*,*", NULL, beside},
	{"a,a", NULL, twice},
	{"a,b,a", NULL, twice},
	{"b,a,c,a", NULL, twice},
	{"a%2Ca", NULL, twice},
	{"a,%61", NULL, twice},
	{"room_26,x,room_2%36", NULL, twice},
	{SIXTY "abcd,b," SIXTY "abcd", NULL, twice},
};

static void describe(const struct room_list *list, struct buffer *b)
{
	buffer_clear(b);
	if (list->is_all)
		buffer_add_string(b, "*");
	for (size_t i = 0; i < list->count; i++) {
		buffer_add_text(b, room_name_text(&list->names[i]));
		buffer_add_string(b, " ");
	}
}

static bool is_empty(const struct room_list *list)
{
	return list->names == NULL && list->count == 0 && !list->is_all &&
	       !list->is_several;
}

static void check_refused(const char *segment, struct text encoded,
                          enum problem_type type, const char *why)
{
	struct room_list list;
	struct problem wrong = room_list_parse(encoded, LIMIT, &list);

	expect(wrong.type == type, "'%s': type %d", segment, wrong.type);
	expect(strcmp(wrong.detail, why) == 0, "'%s': %s", segment,
	       wrong.detail);
	expect(is_empty(&list), "'%s'", segment);
}

static void a_segment_names_rooms(void **state)
{
	struct buffer names = {0};
	struct room_list list;

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		const char *segment = rows[i].segment;

		if (rows[i].names == NULL) {
			check_refused(segment, text_of(segment),
			              PROBLEM_BAD_ROOM_NAME, rows[i].why);
			continue;
		}
		expect(room_list_parse(text_of(segment), LIMIT, &list).type ==
		               PROBLEM_NONE,
		       "'%s'", segment);
		describe(&list, &names);
		expect(text_is(buffer_text(&names), rows[i].names),
		       "'%s': '%.*s'", segment, TEXT_ARGS(buffer_text(&names)));
		room_list_release(&list);
		expect(is_empty(&list), "'%s'", segment);
	}
	buffer_release(&names);
}

static void a_byte_of_zero_is_no_end(void **state)
{
	(void)state;
	check_refused("a NUL", (struct text){"a\0,b", 4}, PROBLEM_BAD_ROOM_NAME,
	              rule);
	check_refused("nothing", (struct text){NULL, 0}, PROBLEM_BAD_ROOM_NAME,
	              rule);
}

static void one_is_told_from_several(void **state)
{
	static const struct {
		const char *segment;
		bool is_several, is_all;
	} forms[] = {
		{"a", false, false}, {"a,b", true, false}, {"*", true, true}};
	struct room_list list;

	(void)state;
	for (size_t i = 0; i < LENGTH(forms); i++) {
		room_list_parse(text_of(forms[i].segment), LIMIT, &list);
		expect(list.is_several == forms[i].is_several, "%s",
		       forms[i].segment);
		expect(list.is_all == forms[i].is_all, "%s", forms[i].segment);
		room_list_release(&list);
	}
}

/* ---- Limits ---- */

/* Adds this many rooms, the names of which have `size` characters, all encoded. */
static void add_rooms(struct buffer *b, int count, int size, const char *comma)
{
	buffer_clear(b);
	for (int i = 0; i < count; i++) {
		char name[ROOM_NAME_MAX + 1];

		if (i > 0)
			buffer_add_string(b, comma);
		snprintf(name, sizeof name, "%0*d", size, i);
		for (const char *c = name; *c != '\0'; c++)
			buffer_printf(b, "%%%02x", (unsigned)*c);
	}
}

static void as_many_as_the_limit_are_taken(void **state)
{
	static const char *const commas[] = {",", "%2C", "%2c"};
	struct buffer segment = {0};
	struct room_list list;

	(void)state;
	for (size_t i = 0; i < LENGTH(commas); i++) {
		add_rooms(&segment, LIMIT, ROOM_NAME_MAX, commas[i]);
		assert_int_equal(
			room_list_parse(buffer_text(&segment), LIMIT, &list).type,
			PROBLEM_NONE);
		assert_int_equal(list.count, LIMIT);
		assert_int_equal(list.names[LIMIT - 1].size, ROOM_NAME_MAX);
		room_list_release(&list);
		add_rooms(&segment, LIMIT + 1, 3, commas[i]);
		check_refused("101 rooms", buffer_text(&segment),
		              PROBLEM_BAD_PARAMETER, many);
	}
	buffer_release(&segment);
}

static void the_limit_is_the_callers(void **state)
{
	struct buffer segment = {0};
	struct room_list list;

	(void)state;
	assert_int_equal(room_list_parse(text_of("a"), 1, &list).type,
	                 PROBLEM_NONE);
	room_list_release(&list);
	assert_int_equal(room_list_parse(text_of("*"), 1, &list).type,
	                 PROBLEM_NONE);
	room_list_release(&list);
	assert_int_equal(room_list_parse(text_of("a,b"), 1, &list).type,
	                 PROBLEM_BAD_PARAMETER);
	add_rooms(&segment, 1000, 8, ",");
	assert_int_equal(
		room_list_parse(buffer_text(&segment), 1000, &list).type,
		PROBLEM_NONE);
	assert_int_equal(list.count, 1000);
	room_list_release(&list);
	buffer_release(&segment);
}

/* Whatever its size, a segment has one of two faults. */
static void long_segments_are_refused(void **state)
{
	static const struct {
		const char *part;
		int times;
		enum problem_type type;
		const char *why;
	} longs[] = {
		{"a", 8192, PROBLEM_BAD_ROOM_NAME, rule},
		{"%61", 8192, PROBLEM_BAD_ROOM_NAME, rule},
		{"a,", 4096, PROBLEM_BAD_PARAMETER, many},
		{",", 8192, PROBLEM_BAD_PARAMETER, many},
		{"%2C", 8192, PROBLEM_BAD_PARAMETER, many},
		{"%", 8192, PROBLEM_BAD_ROOM_NAME, rule},
		{"*", 8192, PROBLEM_BAD_ROOM_NAME, rule},
		{"%41", 300000, PROBLEM_BAD_ROOM_NAME, rule},
	};
	struct buffer segment = {0};

	(void)state;
	for (size_t i = 0; i < LENGTH(longs); i++) {
		buffer_clear(&segment);
		for (int n = 0; n < longs[i].times; n++)
			buffer_add_string(&segment, longs[i].part);
		check_refused(longs[i].part, buffer_text(&segment),
		              longs[i].type, longs[i].why);
	}
	buffer_release(&segment);
}

/* A number for each place, in no order. */
static int number_of(int place)
{
	return 1 + place * 37 % 101;
}

/* The first and the last of many, and neighbours. */
static void a_double_is_found_anywhere(void **state)
{
	static const int places[][2] = {{0, 99}, {0, 1}, {98, 99}, {13, 77}};
	struct buffer segment = {0};

	(void)state;
	for (size_t i = 0; i < LENGTH(places); i++) {
		buffer_clear(&segment);
		for (int at = 0; at < LIMIT; at++)
			buffer_printf(&segment, "%sroom_%d", at > 0 ? "," : "",
			              number_of(at == places[i][1]
			                                ? places[i][0]
			                                : at));
		check_refused("one of 100 twice", buffer_text(&segment),
		              PROBLEM_BAD_ROOM_NAME, twice);
	}
	buffer_release(&segment);
}

/* ---- As JSON ---- */

static void names_are_rendered_as_strings(void **state)
{
	static const struct {
		const char *segment, *json;
	} forms[] = {
		{"a", "\"a\""},
		{"room_26,team_red,~", "\"room_26\",\"team_red\",\"~\""},
		{"*", ""},
	};
	struct room_list list;
	struct buffer b = {0};

	(void)state;
	for (size_t i = 0; i < LENGTH(forms); i++) {
		buffer_clear(&b);
		room_list_parse(text_of(forms[i].segment), LIMIT, &list);
		room_list_render(list.names, list.count, &b);
		assert_text(buffer_text(&b), forms[i].json);
		room_list_release(&list);
	}
	buffer_release(&b);
}

int run_room_lists(void)
{
	static const struct CMUnitTest tests[] = {
		TEST("a segment names rooms, each once and in its order",
	             a_segment_names_rooms),
		TEST("a byte of zero does not end a segment",
	             a_byte_of_zero_is_no_end),
		TEST("a list of one room is distinguished from one of several",
	             one_is_told_from_several),
		TEST("a list has at most as many rooms as the limit",
	             as_many_as_the_limit_are_taken),
		TEST("the caller sets the limit of rooms",
	             the_limit_is_the_callers),
		TEST("a segment of any length is taken or refused",
	             long_segments_are_refused),
		TEST("a room that is named twice is found anywhere in a list",
	             a_double_is_found_anywhere),
		TEST("names of rooms are rendered as JSON strings",
	             names_are_rendered_as_strings),
	};

	return cmocka_run_group_tests_name("room lists", tests, NULL, NULL);
}
