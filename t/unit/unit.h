/* What the unit tests share. Each file of tests is a group: a table of titles
 * and functions, run by the function that is declared at the end. */
#ifndef LONGROOM_UNIT_H
#define LONGROOM_UNIT_H

/* cmocka needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <json.h>

#include "base/buffer.h"
#include "codec/room_name.h"
#include "config/settings.h"
#include "store/store.h"

#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

/* A row of a group's table. */
#define TEST(title, function) {.name = (title), .test_func = (function)}
#define TEST_WITH(title, function, set_up, tear_down, state)                   \
	{.name = (title), .test_func = (function), .setup_func = (set_up),     \
	 .teardown_func = (tear_down), .initial_state = (state)}

/* For tests that walk a table: says which row is wrong. */
#define expect(condition, ...)                                                 \
	do {                                                                   \
		if (!(condition)) {                                            \
			print_error(__VA_ARGS__);                              \
			print_error(": expected %s\n", #condition);            \
			fail();                                                \
		}                                                              \
	} while (0)

#define assert_text(text, string)                                              \
	expect(text_is(text, string), "'%.*s', not '%s'", TEXT_ARGS(text),     \
	       string)

/* A room name, which must be valid. */
struct room_name room_named(const char *string);

/* Makes a folder, and removes it with its contents; returns, caller passes it
 * to folder_remove(). */
char *folder_make(void);
void folder_remove(char *folder);

/* Returns folder/name, caller frees. */
char *path_in(const char *folder, const char *name);
void file_write(const char *path, struct text text);
/* Adds all that the file has. */
void file_read(const char *path, struct buffer *bytes);

/* Sets store.url to the database at this path. */
void settings_use_sqlite(struct settings *settings, const char *path);
/* A store of these settings, which it borrows, for store_free(). */
struct store *store_of(const struct settings *settings, enum store_access access);

/* Parses all of the text, which must be valid JSON; caller puts. */
json_object *json_read(struct text text);
/* A member, which must exist. Borrowed. */
json_object *json_member(json_object *object, const char *name);
struct text json_text(json_object *object, const char *name);
int64_t json_number(json_object *object, const char *name);
/* Whether a member is there and true. */
bool json_flag(json_object *object, const char *name);

/* Numbers that are the same in every run. */
struct random {
	uint64_t state;
};

/* Prints the seed in the test's output. */
struct random random_from(uint64_t seed);
uint64_t random_next(struct random *random);
/* From 0 to less than `below`. */
size_t random_below(struct random *random, size_t below);

/* Each returns how many of its tests failed. */
int run_access(void);
int run_carried(void);
int run_codecs(void);
int run_json_reader(void);
int run_fastcgi(void);
int run_feeds(void);
int run_frame(void);
int run_http(void);
int run_hub(void);
int run_incarnations(void);
int run_limits(void);
int run_message_data(void);
int run_patterns(void);
int run_peers(void);
int run_presence_frame(void);
int run_pushd(void);
int run_render(void);
int run_room_lists(void);
int run_roster(void);
int run_presence(void);
int run_settings(void);
int run_signals(void);
int run_store(void);
int run_store_reads(void);
int run_submission(void);
int run_tokens(void);
int run_window(void);
int run_wal(void);

#endif
