/* Tests of the settings: what a file and -o may contain, and the errors when
 * they are wrong. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/pattern.h"
#include "program/settings_check.h"

/* Settings, a file for them, and the last error. */
struct place {
	char *folder, *path;
	struct settings settings;
	struct buffer error;
};

static int set_up(void **state)
{
	static struct place place;

	place.folder = folder_make();
	place.path = path_in(place.folder, "longroom.conf");
	place.error = (struct buffer){0};
	settings_init(&place.settings);
	*state = &place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	settings_release(&place->settings);
	buffer_release(&place->error);
	free(place->path);
	folder_remove(place->folder);
	return 0;
}

/* Defaults again, no error. */
static void start_anew(struct place *place)
{
	settings_release(&place->settings);
	settings_init(&place->settings);
	buffer_clear(&place->error);
}

static bool read_file(struct place *place, const char *text)
{
	file_write(place->path, text_of(text));
	return settings_read_file(&place->settings, place->path, &place->error);
}

static bool override(struct place *place, const char *assignment)
{
	return settings_override(&place->settings, assignment, &place->error);
}

static bool has_words(const struct place *place, const char *words)
{
	size_t size = strlen(words);

	for (size_t at = 0; at + size <= place->error.size; at++)
		if (memcmp(place->error.data + at, words, size) == 0)
			return true;
	return false;
}

/* Whether the error begins with the file and this line. */
static bool blames_line(const struct place *place, int line)
{
	char begin[300];
	int size = snprintf(begin, sizeof begin, "%s:%d: ", place->path, line);

	return place->error.size > (size_t)size &&
	       memcmp(place->error.data, begin, (size_t)size) == 0;
}

static bool is_one_line(const struct place *place)
{
	return place->error.size > 0 &&
	       memchr(place->error.data, '\n', place->error.size) == NULL;
}

/* A file that is refused. */
struct refused {
	const char *text;
	int line;
	const char *words;
};

static void check_refused(struct place *place, const struct refused *row)
{
	start_anew(place);
	expect(!read_file(place, row->text), "%s", row->text);
	expect(blames_line(place, row->line) && has_words(place, row->words) &&
	               is_one_line(place),
	       "%s'%.*s' for line %d and '%s'", row->text,
	       TEXT_ARGS(buffer_text(&place->error)), row->line, row->words);
}

static void assert_words(const struct word_list *list, const char *first,
                         const char *second)
{
	assert_int_equal(list->count, (first != NULL) + (second != NULL));
	if (first != NULL)
		assert_string_equal(list->words[0], first);
	if (second != NULL)
		assert_string_equal(list->words[1], second);
}

/* ---- Values ---- */

static void defaults_are_those_of_the_manual(void **state)
{
	struct place *place = *state;
	const struct settings *s = &place->settings;

	assert_string_equal(s->store.url,
	                    "sqlite:/var/lib/longroom/longroom.db");
	assert_int_equal(s->store.busy_timeout, 5000);
	assert_int_equal(s->history.threads, 8);
	assert_int_equal(s->history.on_save_failure, ON_SAVE_FAILURE_BROADCAST);
	assert_int_equal(s->push.window, 64 << 20);
	assert_words(&s->push.listen, "unix:/run/longroom/push.sock", NULL);
	assert_words(&s->rooms.ephemeral, "general", NULL);
	assert_int_equal(s->push.stream_life, 0);
	assert_int_equal(s->limits.content, 16384);
	assert_int_equal(s->limits.data, 4096);
	assert_int_equal(s->limits.rooms_per_request, 100);
	assert_int_equal(s->auth.mode, AUTH_NGINX);
	assert_null(s->file);
}

static void a_file_sets_every_kind(void **state)
{
	struct place *place = *state;
	const struct settings *s = &place->settings;

	assert_true(read_file(place, "; comment\n"
	                             "# comment\n"
	                             "[store]\n"
	                             "url = sqlite:/tmp/a b.db\n"
	                             "busy_timeout=250ms\n"
	                             "\n"
	                             "[history]\n"
	                             "threads = 4\n"
	                             "on_save_failure = reject\n"
	                             "[push]\n"
	                             "listen = unix:/a, 127.0.0.1:0\n"
	                             "window = 128K\n"
	                             "[auth]\n"
	                             "mode = open"));
	assert_string_equal(s->store.url, "sqlite:/tmp/a b.db");
	assert_int_equal(s->store.busy_timeout, 250);
	assert_int_equal(s->history.threads, 4);
	assert_int_equal(s->history.on_save_failure, ON_SAVE_FAILURE_REJECT);
	assert_words(&s->push.listen, "unix:/a", "127.0.0.1:0");
	assert_int_equal(s->push.window, 131072);
	assert_int_equal(s->auth.mode, AUTH_OPEN);
	assert_string_equal(s->file, place->path);
	assert_int_equal(place->error.size, 0);
}

static void numbers_take_their_units(void **state)
{
	static const struct {
		const char *assignment;
		int64_t value; /* -1: refused */
	} rows[] = {
		{"push.window=65536", 65536},
		{"push.window=64K", 65536},
		{"push.window=3M", 3 << 20},
		{"push.window=1024G", INT64_C(1) << 40},
		{"push.window=1025G", -1},
		{"push.window=65535", -1},
		{"push.window=63K", -1},
		{"push.window=9223372036854775807G", -1},
		{"push.window=9223372036854775808", -1},
		{"push.window=64k", -1},
		{"push.window=64KB", -1},
		{"push.window=64 K", -1},
		{"push.window=K", -1},
		{"push.window=", -1},
		{"push.window=-64K", -1},
		{"push.window=1.5M", -1},
		{"push.window=064K", -1},
		{"push.window=64s", -1},
		{"limits.idle_timeout=1000ms", 1000},
		{"limits.idle_timeout=999ms", -1},
		{"limits.idle_timeout=1s", 1000},
		{"limits.idle_timeout=2m", 120000},
		{"limits.idle_timeout=1h", 3600000},
		{"limits.idle_timeout=1d", 86400000},
		{"limits.idle_timeout=2d", -1},
		{"limits.idle_timeout=5000", -1},
		{"limits.idle_timeout=0", -1},
		{"limits.user_sends=0", 0},
		{"limits.rooms_per_request=0", -1},
		{"limits.rooms_per_request=1", 1},
		{"limits.rooms_per_request=1000", 1000},
		{"limits.rooms_per_request=1001", -1},
		{"push.stream_life=0", 0},
		{"push.stream_life=1d", 86400000},
		{"push.stream_life=25h", -1},
		{"limits.idle_timeout=5S", -1},
		{"limits.idle_timeout=5M", -1},
		{"limits.idle_timeout=ms", -1},
		{"limits.idle_timeout=9223372036854775807d", -1},
		{"history.threads=1", 1},
		{"history.threads=1024", 1024},
		{"auth.clock_skew=0", 0},
		{"auth.clock_skew=0s", 0},
		{"auth.clock_skew=00", -1},
		{"store.busy_timeout=0", 0},
		{"history.threads=1025", -1},
		{"history.threads=0", -1},
		{"history.threads=2K", -1},
		{"history.threads=four", -1},
		{"push.max_connections=0", 0},
		{"history.on_save_failure=broadcast", ON_SAVE_FAILURE_BROADCAST},
		{"history.on_save_failure=reject", ON_SAVE_FAILURE_REJECT},
		{"history.on_save_failure=Reject", -1},
		{"history.on_save_failure=rej", -1},
		{"history.on_save_failure=broadcast|reject", -1},
		{"history.on_save_failure=", -1},
		{"auth.mode=open", AUTH_OPEN},
		{"auth.mode=none", -1},
	};
	struct place *place = *state;

	for (size_t i = 0; i < LENGTH(rows); i++) {
		const struct settings *s = &place->settings;
		const char *row = rows[i].assignment;

		start_anew(place);
		expect(override(place, row) == (rows[i].value >= 0), "%s", row);
		if (rows[i].value < 0) {
			expect(is_one_line(place) && has_words(place, "-o "),
			       "%s: '%.*s'", row,
			       TEXT_ARGS(buffer_text(&place->error)));
			continue;
		}
		expect((strstr(row, "window") ? s->push.window
		        : strstr(row, "idle") ? s->limits.idle_timeout
		        : strstr(row, "thre") ? s->history.threads
		        : strstr(row, "max_") ? s->push.max_connections
		        : strstr(row, "mode") ? s->auth.mode
		        : strstr(row, "skew") ? s->auth.clock_skew
		        : strstr(row, "busy") ? s->store.busy_timeout
		        : strstr(row, "sends") ? s->limits.user_sends
		        : strstr(row, "rooms_") ? s->limits.rooms_per_request
		        : strstr(row, "life") ? s->push.stream_life
		                              : s->history.on_save_failure) ==
		               rows[i].value,
		       "%s", row);
		assert_int_equal(place->error.size, 0);
	}
}

static void lists_add_up(void **state)
{
	struct place *place = *state;
	const struct word_list *list = &place->settings.rooms.ephemeral;

	assert_true(read_file(place, "[rooms]\nephemeral = a\n"
	                             "ephemeral = b\n"));
	assert_words(list, "a", "b");
	start_anew(place);
	assert_true(read_file(place, "[rooms]\nephemeral = \ta,, b ,\n"));
	assert_words(list, "a", "b");
	start_anew(place);
	assert_true(read_file(place, "[rooms]\nephemeral =\n"));
	assert_words(list, NULL, NULL);
}

static void ephemeral_rooms_are_patterns(void **state)
{
	struct place *place = *state;
	const struct settings *s = &place->settings;

	assert_true(pattern_list_matches(&s->rooms.ephemeral, "general"));
	assert_false(pattern_list_matches(&s->rooms.ephemeral, "general2"));
	assert_true(override(place, "rooms.ephemeral=tmp-* room_?"));
	assert_false(pattern_list_matches(&s->rooms.ephemeral, "general"));
	assert_true(pattern_list_matches(&s->rooms.ephemeral, "tmp-"));
	assert_true(pattern_list_matches(&s->rooms.ephemeral, "tmp-a.b"));
	assert_true(pattern_list_matches(&s->rooms.ephemeral, "room_7"));
	assert_false(pattern_list_matches(&s->rooms.ephemeral, "room_17"));
	assert_false(pattern_list_matches(&s->rooms.ephemeral, "xtmp-a"));
}

/* ---- Where a value comes from ---- */

static const char file_text[] = "[history]\nthreads = 4\n"
                                "[rooms]\nephemeral = a\nephemeral = b\n";

static void the_command_line_wins_over_the_file(void **state)
{
	struct place *place = *state;
	const struct settings *s = &place->settings;

	for (int file_first = 0; file_first < 2; file_first++) {
		start_anew(place);
		if (file_first)
			assert_true(read_file(place, file_text));
		assert_true(override(place, "history.threads=8"));
		assert_true(override(place, "rooms.ephemeral=c"));
		if (!file_first)
			assert_true(read_file(place, file_text));
		assert_int_equal(s->history.threads, 8);
		assert_words(&s->rooms.ephemeral, "c", NULL);
	}
}

static void the_last_of_two_on_the_command_line_wins(void **state)
{
	struct place *place = *state;

	assert_true(override(place, "history.threads=8"));
	assert_true(override(place, "history.threads=9"));
	assert_int_equal(place->settings.history.threads, 9);
}

static void a_value_may_have_dots_and_equals_signs(void **state)
{
	struct place *place = *state;

	assert_true(override(place, "store.url=sqlite:/a.b=c"));
	assert_string_equal(place->settings.store.url, "sqlite:/a.b=c");
}

static void what_is_no_assignment_is_refused(void **state)
{
	static const char *const rows[] = {
		"",           "threads",   "history.threads", "threads=4",
		"history",    "=4",        ".=",              "a=b.c",
		"history.thread=4", "histor.threads=4", "nosuch.setting=1",
		" history.threads=4"};
	struct place *place = *state;

	for (size_t i = 0; i < LENGTH(rows); i++) {
		start_anew(place);
		expect(!override(place, rows[i]), "'%s'", rows[i]);
		expect(is_one_line(place) && has_words(place, rows[i]), "'%s'",
		       rows[i]);
	}
}

/* ---- What is wrong, and where ---- */

static void errors_name_file_and_line(void **state)
{
	static const struct refused rows[] = {
		{"[history]\nthreads = 0\n", 2, "history.threads"},
		{"[history]\nthreads = 0\n", 2, "from 1 to 1024"},
		{"\n; x\n\n[history]\n\nthreads = four\n", 6, "whole number"},
		{"[push]\nwindow = 1X\n", 2, "size"},
		{"[store]\nbusy_timeout = 5\n", 2, "time"},
		{"[auth]\nmode = none\n", 2, "nginx|token|open"},
		{"[history]\nnosuch = 1\n", 2, "unknown setting history.nosuch"},
		{"[nosuch]\nthreads = 1\n", 2, "unknown setting nosuch.threads"},
		{"threads = 1\n", 1, "unknown setting .threads"},
		{"[store]\nnonsense\n", 2, "expected [section]"},
		{"[store\n", 1, "expected [section]"},
		{"[history]\nthreads = 1\nthreads = 1\n", 3, "in line 2"},
		{"[history]\nthreads = 1\n[store]\n[history]\nthreads = 2\n", 5,
	         "in line 2"},
	};

	for (size_t i = 0; i < LENGTH(rows); i++)
		check_refused(*state, &rows[i]);
}

static void of_two_errors_the_first_is_told(void **state)
{
	static const struct refused rows[] = {
		{"[history]\nthreads = 0\nnosuch = 1\n", 2, "history.threads"},
		{"[history]\nthreads = 0\nnonsense\n", 2, "history.threads"},
		{"[history]\nnonsense\nthreads = 0\n", 2, "expected [section]"},
		{"[store\nurl = a\n", 1, "expected [section]"},
	};

	for (size_t i = 0; i < LENGTH(rows); i++)
		check_refused(*state, &rows[i]);
}

static void lines_that_are_too_long_are_refused(void **state)
{
	struct place *place = *state;
	struct buffer text = {0};

	buffer_add_string(&text, "[store]\nurl = sqlite:/");
	for (int i = 0; i < 100000; i++)
		buffer_add_string(&text, "x");
	buffer_add_string(&text, "\n[history]\nthreads = 4\n");
	buffer_add(&text, "", 1);
	check_refused(place, &(struct refused){text.data, 2, "too long"});
	buffer_release(&text);
}

static void a_file_that_is_away_is_an_error(void **state)
{
	struct place *place = *state;

	assert_false(settings_read_file(&place->settings, place->path,
	                                &place->error));
	assert_true(has_words(place, place->path) && is_one_line(place));
}

static void a_folder_is_no_file_of_settings(void **state)
{
	struct place *place = *state;

	assert_false(settings_read_file(&place->settings, place->folder,
	                                &place->error));
	assert_true(has_words(place, place->folder) && is_one_line(place));
}

/* ---- Contradictions ---- */

static bool stands(struct place *place)
{
	return settings_check(&place->settings, &place->error);
}

static void the_default_mode_is_nginx(void **state)
{
	struct place *place = *state;

	assert_true(stands(place));
	assert_int_equal(place->settings.auth.mode, AUTH_NGINX);
}

static void tokens_need_keys(void **state)
{
	struct place *place = *state;

	assert_true(read_file(place, "[auth]\nmode = token\n"));
	assert_false(stands(place));
	assert_true(has_words(place, "auth.keys") && is_one_line(place));

	start_anew(place);
	assert_true(read_file(place, "[auth]\nmode = token\nkeys = /k\n"));
	assert_true(stands(place));
}

static void origins_are_as_browsers_write_them(void **state)
{
	static const struct {
		const char *origin;
		bool good;
	} rows[] = {
		{"https://example.org", true},
		{"http://127.0.0.1:8080", true},
		{"https://[::1]:8443", true},
		{"https://example.org/", false},
		{"https://example.org/chat", false},
		{"https://Example.org", false},
		{"https://user@example.org", false},
		{"example.org", false},
		{"://example.org", false},
		{"https://", false},
		{"*", false},
		{"null", false},
	};
	struct place *place = *state;
	char setting[64];

	for (size_t i = 0; i < LENGTH(rows); i++) {
		start_anew(place);
		snprintf(setting, sizeof setting, "auth.origins=%s",
		         rows[i].origin);
		assert_true(override(place, setting));
		expect(stands(place) == rows[i].good, "%s", rows[i].origin);
		expect(rows[i].good || has_words(place, "auth.origins"), "%s",
		       rows[i].origin);
	}
}

static void a_stream_lives_as_long_as_its_mode_allows(void **state)
{
	static const struct {
		const char *mode, *life;
		int64_t life_ms; /* -1: refused */
	} rows[] = {
		{"nginx", "0", 60000},    {"open", "0", 3600000},
		{"nginx", "0s", 60000},   {"token", "0", 3600000},
		{"nginx", "1s", 1000},    {"open", "1000ms", 1000},
		{"nginx", "2h", 7200000}, {"open", "24h", 86400000},
		{"nginx", "999ms", -1},   {"open", "1ms", -1},
	};
	struct place *place = *state;
	char setting[64];

	assert_int_equal(settings_stream_life(&place->settings), 60000);
	for (size_t i = 0; i < LENGTH(rows); i++) {
		start_anew(place);
		assert_true(override(place, "auth.keys=/key"));
		snprintf(setting, sizeof setting, "auth.mode=%s", rows[i].mode);
		assert_true(override(place, setting));
		snprintf(setting, sizeof setting, "push.stream_life=%s",
		         rows[i].life);
		assert_true(override(place, setting));
		expect(stands(place) == (rows[i].life_ms > 0), "%s", setting);
		if (rows[i].life_ms > 0)
			assert_int_equal(settings_stream_life(&place->settings),
			                 rows[i].life_ms);
		else
			assert_true(has_words(place, "-o push.stream_life: ") &&
			            is_one_line(place));
	}
}

static void open_mode_listens_on_this_machine_alone(void **state)
{
	static const struct {
		const char *address;
		bool good;
	} rows[] = {
		{"unix:/run/x.sock", true}, {"127.0.0.1:0", true},
		{"127.1.2.3:80", true},     {"[::1]:0", true},
		{"localhost:0", true},      {"0.0.0.0:0", false},
		{"10.0.0.1:0", false},      {"[::]:0", false},
		{"[2001:db8::1]:0", false}, {"128.0.0.1:0", false},
	};
	static const char *const settings[] = {"history.listen", "push.listen"};
	struct place *place = *state;

	for (size_t s = 0; s < LENGTH(settings); s++)
		for (size_t i = 0; i < LENGTH(rows); i++) {
			char assignment[100];

			snprintf(assignment, sizeof assignment, "%s=%s",
			         settings[s], rows[i].address);
			start_anew(place);
			assert_true(override(place, "auth.mode=open"));
			assert_true(override(place, assignment));
			expect(stands(place) == rows[i].good, "%s", assignment);
			expect(rows[i].good || (has_words(place, settings[s]) &&
			                        is_one_line(place)),
			       "%s", assignment);
		}
}

static void every_address_of_a_list_is_checked(void **state)
{
	struct place *place = *state;

	assert_true(read_file(place, "[auth]\nmode = open\n[push]\n"
	                             "listen = unix:/a 0.0.0.0:80\n"));
	assert_false(stands(place));
	assert_true(blames_line(place, 4) && has_words(place, "0.0.0.0:80"));

	start_anew(place);
	assert_true(read_file(place, "[auth]\nmode = open\n[push]\nlisten =\n"));
	assert_false(stands(place));
	assert_true(blames_line(place, 4));
}

static void what_is_no_address_is_refused(void **state)
{
	static const char too_long[] =
		"unix:/"
		"1234567890123456789012345678901234567890123456789012345678901"
		"2345678901234567890123456789012345678901234567";
	static const char *const rows[] = {
		"",         "unix:",       "unix:relative.sock",
		"127.0.0.1", "127.0.0.1:", ":80",
		"127.0.0.1:port-of-no-service", "/run/x.sock",
		too_long};
	struct place *place = *state;

	for (size_t i = 0; i < LENGTH(rows); i++) {
		char assignment[200];

		snprintf(assignment, sizeof assignment, "history.listen=%s",
		         rows[i]);
		start_anew(place);
		assert_true(override(place, "auth.mode=open"));
		assert_true(override(place, assignment));
		expect(!stands(place), "%s", assignment);
		expect(is_one_line(place) && has_words(place, "history.listen"),
		       "%s", assignment);
	}
}

#define IN_PLACE(title, function)                                              \
	TEST_WITH(title, function, set_up, tear_down, NULL)

/* ---- Reload ---- */

static void what_a_start_decides_is_kept(void **state)
{
	struct place *place = *state;
	struct settings used;
	struct buffer differing = {0};

	settings_init(&used);
	used.push.window = 1;
	assert_true(read_file(place, "[store]\nurl = sqlite:/other\n"
	                             "busy_timeout = 5s\n"
	                             "[history]\nthreads = 7\n"
	                             "[push]\nlisten = unix:/a unix:/b\n"
	                             "[rooms]\nephemeral = lobby\n"
	                             "[limits]\ncontent = 5\n"));
	settings_keep_started(&place->settings, &used, &differing);
	assert_text(buffer_text(&differing),
	            "store.url, history.threads, push.listen");
	assert_string_equal(place->settings.store.url, used.store.url);
	assert_int_equal(place->settings.history.threads, 8);
	assert_words(&place->settings.push.listen,
	             "unix:/run/longroom/push.sock", NULL);
	assert_words(&place->settings.rooms.ephemeral, "lobby", NULL);
	assert_int_equal(place->settings.limits.content, 5);
	assert_int_equal(place->settings.push.window, 64 << 20);
	buffer_clear(&differing);
	settings_keep_started(&place->settings, &used, &differing);
	assert_int_equal(differing.size, 0);
	buffer_release(&differing);
	settings_release(&used);
}

int run_settings(void)
{
	static const struct CMUnitTest tests[] = {
		IN_PLACE("the defaults are as documented",
	                 defaults_are_those_of_the_manual),
		IN_PLACE("a file sets values of every kind",
	                 a_file_sets_every_kind),
		IN_PLACE("sizes, durations and choices are read with their "
	                 "units and limits",
	                 numbers_take_their_units),
		IN_PLACE("the words of a list add up, and replace the default",
	                 lists_add_up),
		IN_PLACE("ephemeral rooms are names or patterns",
	                 ephemeral_rooms_are_patterns),
		IN_PLACE("-o takes precedence over the file, whichever is read "
	                 "first",
	                 the_command_line_wins_over_the_file),
		IN_PLACE("the last of two -o takes precedence",
	                 the_last_of_two_on_the_command_line_wins),
		IN_PLACE("a value may have dots and equals signs",
	                 a_value_may_have_dots_and_equals_signs),
		IN_PLACE("a line that is not an assignment, or names no "
	                 "setting, is refused",
	                 what_is_no_assignment_is_refused),
		IN_PLACE("an error in a file names the file and the line",
	                 errors_name_file_and_line),
		IN_PLACE("the first of two errors is reported, with its own "
	                 "line",
	                 of_two_errors_the_first_is_told),
		IN_PLACE("a line that is too long is refused, not cut",
	                 lines_that_are_too_long_are_refused),
		IN_PLACE("a missing file is an error",
	                 a_file_that_is_away_is_an_error),
		IN_PLACE("a folder is not a settings file",
	                 a_folder_is_no_file_of_settings),
		IN_PLACE("auth.mode is nginx by default",
	                 the_default_mode_is_nginx),
		IN_PLACE("tokens need keys", tokens_need_keys),
		IN_PLACE("origins are as browsers write them",
	                 origins_are_as_browsers_write_them),
		IN_PLACE("a stream's life depends on auth.mode, and is at "
	                 "least a second",
	                 a_stream_lives_as_long_as_its_mode_allows),
		IN_PLACE("with auth.mode = open only loopback addresses are "
	                 "allowed",
	                 open_mode_listens_on_this_machine_alone),
		IN_PLACE("every address of a list is checked",
	                 every_address_of_a_list_is_checked),
		IN_PLACE("an invalid listening address is refused",
	                 what_is_no_address_is_refused),
		IN_PLACE("reloaded settings keep the values of the start, and "
	                 "report it",
	                 what_a_start_decides_is_kept),
	};

	return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
