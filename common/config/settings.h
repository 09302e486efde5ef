/* The settings of both programs: one INI file, and -o section.name=value.
 *
 * This module checks each value by itself. settings_check.h checks that the settings
 * fit together.
 *
 * Every function that can fail says why in *error: one line for the operator, with
 * the file and the line number if there are any. */
#ifndef LONGROOM_SETTINGS_H
#define LONGROOM_SETTINGS_H

#include "base/buffer.h"
#include "base/word_list.h"

/* The values of the CHOICE settings. */
enum on_save_failure { ON_SAVE_FAILURE_BROADCAST, ON_SAVE_FAILURE_REJECT };
enum push_presence { PRESENCE_OFF, PRESENCE_COUNTS, PRESENCE_USERS };
enum auth_mode { AUTH_NGINX, AUTH_TOKEN, AUTH_OPEN };

#define SETTING_C_TEXT char *
#define SETTING_C_LIST struct word_list
#define SETTING_C_INTEGER int64_t
#define SETTING_C_SIZE int64_t   /* bytes */
#define SETTING_C_TIME int64_t   /* milliseconds */
#define SETTING_C_CHOICE int64_t /* index, from 0 */

enum setting_index {
#define SETTING(section, name, ...) SETTING_##section##_##name,
#include "config/settings.def"
	SETTING_COUNT
};

/* A struct for each section: struct store_settings has the member url, for
 * store.url. A module is passed only the sections that it needs. */
#define SECTION(section) struct section##_settings {
#define SETTING(section, name, kind, ...) SETTING_C_##kind name;
#define SECTION_END(section) };
#include "config/settings.def"

struct settings {
#define SECTION(section) struct section##_settings section;
#define SECTION_END(section)
#define SETTING(...)
#include "config/settings.def"
	char *file;               /* NULL: no file was read */
	int lines[SETTING_COUNT]; /* 0: the default, -1: from -o */
};

/* Sets the defaults. */
void settings_init(struct settings *s);
void settings_release(struct settings *s);

/* Parses a time as written in settings ("90s", "1h") into milliseconds. False unless
 * value is a time from least_ms to most_ms. */
bool settings_read_time(const char *value, int64_t least_ms, int64_t most_ms,
                        int64_t *time_ms);

/* push.stream_life in milliseconds, with what 0 means in this auth.mode. */
int64_t settings_stream_life(const struct settings *s);

/* Applies the argument of -o. It takes precedence over the file, whichever is read
 * first. */
bool settings_override(struct settings *s, const char *assignment,
                       struct buffer *error);

bool settings_read_file(struct settings *s, const char *path,
                        struct buffer *error);

/* Begins the error message for a setting that does not fit the others: its file and
 * line (or -o), and its name. */
void settings_blame(const struct settings *s, enum setting_index index,
                    struct buffer *error);

/* Prepares reloaded settings: copies the values that need a restart from the
 * settings in use, and adds the names of those that differ to *differing. */
void settings_keep_started(struct settings *fresh, const struct settings *used,
                           struct buffer *differing);

#endif
