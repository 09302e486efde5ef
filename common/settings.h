/* The settings of both programs: one INI file, and -o section.name=value.
 *
 * Every function that can fail says why in *error, as one line for the
 * operator: with the file and the line where there is one. */
#ifndef LONGROOM_SETTINGS_H
#define LONGROOM_SETTINGS_H

#include "buffer.h"

struct word_list {
	char **words;
	size_t count;
};

/* Adds the words of a value: they are separated by commas or white space. */
void word_list_add(struct word_list *list, const char *value);
void word_list_release(struct word_list *list);

/* The values of the CHOICE settings. */
enum on_save_failure { ON_SAVE_FAILURE_BROADCAST, ON_SAVE_FAILURE_REJECT };
enum auth_mode { AUTH_NGINX, AUTH_TOKEN, AUTH_OPEN };

#define SETTING_C_TEXT char *
#define SETTING_C_LIST struct word_list
#define SETTING_C_INTEGER int64_t
#define SETTING_C_SIZE int64_t   /* bytes */
#define SETTING_C_TIME int64_t   /* milliseconds */
#define SETTING_C_CHOICE int64_t /* which, from 0 */

enum setting_index {
#define SETTING(section, name, ...) SETTING_##section##_##name,
#include "settings.def"
#undef SETTING
	SETTING_COUNT
};

/* store.url is the member store_url. */
struct settings {
#define SETTING(section, name, kind, ...) SETTING_C_##kind section##_##name;
#include "settings.def"
#undef SETTING
	char *file;                /* NULL: none was read */
	int lines[SETTING_COUNT];  /* 0: the default, -1: from -o */
};

/* The defaults. */
void settings_init(struct settings *s);
void settings_release(struct settings *s);

/* A time as settings have it ("90s", "1h"), in milliseconds. False unless value
 * is one, from least to most. */
bool settings_read_time(const char *value, int64_t least_ms, int64_t most_ms,
                        int64_t *time_ms);

/* What -o says; wins over the file whichever comes first. */
bool settings_override(struct settings *s, const char *assignment,
                       struct buffer *error);

bool settings_read_file(struct settings *s, const char *path,
                        struct buffer *error);

/* Whether the settings can stand together. */
bool settings_check(const struct settings *s, struct buffer *error);

/* Makes of settings that were read and checked while others are used the next to
 * use: those that only a start can change stay as they are. The names of these,
 * where there are any, are added to *differing. */
void settings_keep_started(struct settings *fresh, const struct settings *used,
                           struct buffer *differing);

/* Whether messages of the room are never stored. */
bool settings_is_ephemeral(const struct settings *s, const char *room);

#endif
