/* Tests of patterns for room names: what they match, beside fnmatch(3), and
 * which are refused. */
#include "unit.h"

#include <fnmatch.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/pattern.h"

static bool matches(const char *pattern, const char *name)
{
	struct word_list list = {0};

	word_list_add(&list, pattern);
	bool found = pattern_list_matches(&list, name);
	word_list_release(&list);
	return found;
}

static void names_match_as_is_said(void **state)
{
	static const struct {
		const char *pattern, *name;
		bool expected;
	} rows[] = {
		{"room_1", "room_1", true},    {"room_1", "room_12", false},
		{"room_12", "room_1", false},  {"room_1", "Room_1", false},
		{"*", "a", true},              {"***", "a", true},
		{"?", "a", true},              {"?", "ab", false},
		{"*?", "a", true},             {"*??", "a", false},
		{"a*", "a", true},             {"*a", "a", true},
		{"a*a", "a", false},           {"a*a", "aa", true},
		{"*ab", "aab", true},          {"*ab*", "xxabyy", true},
		{"*ab*ab", "ab", false},       {"*ab*ab", "abab", true},
		{"*", ".hidden", true},        {"a?c*", "abcd", true},
		{"x y", "y", true},            {"x y", "z", false},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++)
		expect(matches(rows[i].pattern, rows[i].name) == rows[i].expected,
		       "%s, %s", rows[i].pattern, rows[i].name);
	struct word_list none = {0};
	assert_false(pattern_list_matches(&none, "a"));
}

/* Short ones of two characters, so that many match. */
static void fill(char *text, size_t size, const char *characters, uint32_t *seed)
{
	for (size_t i = 0; i < size; i++) {
		*seed = *seed * 1664525 + 1013904223;
		text[i] = characters[(*seed >> 16) % strlen(characters)];
	}
	text[size] = '\0';
}

static void they_match_as_fnmatch_has_it(void **state)
{
	char pattern[PATTERN_MAX + 1], name[PATTERN_MAX + 1];
	uint32_t seed = 1;
	int found = 0;

	(void)state;
	for (uint32_t i = 0; i < 200000; i++) {
		fill(pattern, 1 + i % 9, "ab*?", &seed);
		fill(name, 1 + i / 9 % 11, "ab", &seed);
		bool expected = fnmatch(pattern, name, 0) == 0;

		found += expected;
		expect(matches(pattern, name) == expected, "%s, %s", pattern,
		       name);
	}
	assert_true(found > 10000);
}

static void the_longest_names_match_to_their_ends(void **state)
{
	char all_a[PATTERN_MAX + 1] = "", a_and_b[PATTERN_MAX + 1] = "";

	(void)state;
	memset(all_a, 'a', PATTERN_MAX);
	memset(a_and_b, 'a', PATTERN_MAX - 1);
	a_and_b[PATTERN_MAX - 1] = 'b';
	assert_true(matches(all_a, all_a));
	assert_false(matches(all_a, a_and_b));
	assert_true(matches("a*a", all_a));
	assert_false(matches("a*a", a_and_b));
	assert_true(matches("*a*a*a*a*a*a*a*b", a_and_b));
	assert_false(matches("*a*a*a*a*a*a*a*b", all_a));
}

static void so_much_may_be_in_a_pattern(void **state)
{
	char longest[PATTERN_MAX + 2];

	(void)state;
	memset(longest, 'x', PATTERN_MAX + 1);
	longest[PATTERN_MAX + 1] = '\0';
	assert_int_equal(pattern_check(longest), PATTERN_NO_NAME);
	longest[PATTERN_MAX] = '\0';
	assert_int_equal(pattern_check(longest), PATTERN_GOOD);
	assert_int_equal(pattern_check(""), PATTERN_NO_NAME);
	assert_int_equal(pattern_check("a/b"), PATTERN_NO_NAME);
	assert_int_equal(pattern_check("*a*b*c*d*e*f*g*"), PATTERN_GOOD);
	assert_int_equal(pattern_check("*a*b*c*d*e*f*g*h*"), PATTERN_TOO_STARRY);
	/* As many as one. */
	assert_int_equal(pattern_check("********************"), PATTERN_GOOD);
	assert_int_equal(pattern_check("**a**b**c**d**e**f**g**"), PATTERN_GOOD);
}

int run_patterns(void)
{
	const struct CMUnitTest tests[] = {
		TEST("names match patterns as documented",
	             names_match_as_is_said),
		TEST("patterns match as fnmatch(3) does",
	             they_match_as_fnmatch_has_it),
		TEST("the longest names match to their ends",
	             the_longest_names_match_to_their_ends),
		TEST("a pattern has at most 64 bytes and 8 stars, consecutive "
	             "stars counting as one",
	             so_much_may_be_in_a_pattern),
	};

	return cmocka_run_group_tests_name("patterns", tests, NULL, NULL);
}
