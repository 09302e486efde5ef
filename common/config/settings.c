#include "config/settings.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/memory.h"
#include "base/number.h"
#include "os/slow_file.h"

enum kind { TEXT, LIST, INTEGER, SIZE, TIME, CHOICE };
enum when { START, LIVE };

struct row {
	const char *section, *name;
	enum kind kind;
	enum when when;
	size_t offset;
	const char *initial;
	int64_t least, most;
	const char *choices;
};

static const struct row rows[SETTING_COUNT] = {
#define SETTING(section, name, kind, when, initial, least, most, choices, \
                meaning)                                                  \
	{#section, #name, kind, when,                                     \
	 offsetof(struct settings, section) +                             \
	         offsetof(struct section##_settings, name),               \
	 initial, least, most, choices},
#include "config/settings.def"
};

struct unit {
	const char *suffix;
	int64_t factor;
};

static const struct unit no_units[] = {{"", 1}, {NULL, 0}};
static const struct unit size_units[] = {
	{"", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {NULL, 0}};
static const struct unit time_units[] = {
	{"ms", 1},        {"s", 1000},       {"m", 60000},
	{"h", 3600000},   {"d", 86400000},   {NULL, 0}};

static void *member(struct settings *s, const struct row *row)
{
	return (char *)s + row->offset;
}

/* Reads a number followed by one of the units; 0 needs no unit. NULL: not such a
 * number. */
static const struct unit *read_count(const char *value, const struct unit *units,
                                     int64_t *count)
{
	size_t digits = strspn(value, "0123456789");
	struct text text = {value, digits};

	*count = 0;
	if (strcmp(value, "0") == 0)
		return units;
	for (; units->suffix != NULL; units++)
		if (strcmp(value + digits, units->suffix) == 0)
			return number_parse(text, 0, INT64_MAX, count) ? units
			                                               : NULL;
	return NULL;
}

/* Whether count units are from least to most. */
static bool is_within(int64_t count, const struct unit *unit, int64_t least,
                      int64_t most)
{
	return count <= most / unit->factor && count * unit->factor >= least;
}

bool settings_read_time(const char *value, int64_t least_ms, int64_t most_ms,
                        int64_t *time_ms)
{
	int64_t count;
	const struct unit *unit = read_count(value, time_units, &count);

	if (unit == NULL || !is_within(count, unit, least_ms, most_ms))
		return false;
	*time_ms = count * unit->factor;
	return true;
}

int64_t settings_stream_life(const struct settings *s)
{
	if (s->push.stream_life > 0)
		return s->push.stream_life;
	return s->auth.mode == AUTH_NGINX ? 60000 : 3600000;
}

static bool set_number(int64_t *number, const struct row *row, const char *value,
                       const struct unit *units, struct buffer *error)
{
	int64_t count;
	const struct unit *unit = read_count(value, units, &count);

	if (unit == NULL) {
		buffer_printf(error, "%s.%s: '%s' is not a %s", row->section,
		              row->name, value,
		              row->kind == SIZE   ? "size (as 512, 16K, 64M, 1G)"
		              : row->kind == TIME ? "time (as 250ms, 5s, 1m, 2h, 7d)"
		                                  : "whole number");
		return false;
	}
	if (!is_within(count, unit, row->least, row->most)) {
		buffer_printf(error,
		              "%s.%s: %s is not from %lld to %lld%s",
		              row->section, row->name, value,
		              (long long)row->least, (long long)row->most,
		              row->kind == SIZE   ? " bytes"
		              : row->kind == TIME ? " ms"
		                                  : "");
		return false;
	}
	*number = count * unit->factor;
	return true;
}

static bool set_choice(int64_t *number, const struct row *row, const char *value,
                       struct buffer *error)
{
	const char *choice = row->choices;

	for (int64_t i = 0; *choice != '\0'; i++) {
		size_t size = strcspn(choice, "|");

		if (strlen(value) == size && memcmp(value, choice, size) == 0) {
			*number = i;
			return true;
		}
		choice += size + (choice[size] == '|');
	}
	buffer_printf(error, "%s.%s: '%s': choose one of %s", row->section,
	              row->name, value, row->choices);
	return false;
}

static bool set(struct settings *s, const struct row *row, const char *value,
                struct buffer *error)
{
	switch (row->kind) {
	case TEXT:
		free(*(char **)member(s, row));
		*(char **)member(s, row) = memory_copy(value, strlen(value));
		return true;
	case LIST:
		word_list_add(member(s, row), value);
		return true;
	case INTEGER:
		return set_number(member(s, row), row, value, no_units, error);
	case SIZE:
		return set_number(member(s, row), row, value, size_units, error);
	case TIME:
		return set_number(member(s, row), row, value, time_units, error);
	case CHOICE:
		return set_choice(member(s, row), row, value, error);
	}
	return false;
}

void settings_init(struct settings *s)
{
	struct buffer error = {0};

	*s = (struct settings){0};
	for (size_t i = 0; i < SETTING_COUNT; i++)
		if (!set(s, &rows[i], rows[i].initial, &error))
			abort(); /* the table is wrong */
}

void settings_release(struct settings *s)
{
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		if (rows[i].kind == TEXT)
			free(*(char **)member(s, &rows[i]));
		if (rows[i].kind == LIST)
			word_list_release(member(s, &rows[i]));
	}
	free(s->file);
	*s = (struct settings){0};
}

static const struct row *find_row(const char *section, const char *name)
{
	for (size_t i = 0; i < SETTING_COUNT; i++)
		if (strcmp(rows[i].section, section) == 0 &&
		    strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

bool settings_override(struct settings *s, const char *assignment,
                       struct buffer *error)
{
	const char *dot = strchr(assignment, '.');
	const char *equals = strchr(assignment, '=');

	if (dot == NULL || equals == NULL || dot > equals) {
		buffer_printf(error, "-o %s: write section.name=value", assignment);
		return false;
	}
	char *section = memory_copy(assignment, (size_t)(dot - assignment));
	char *name = memory_copy(dot + 1, (size_t)(equals - dot - 1));
	const struct row *row = find_row(section, name);
	bool good = row != NULL;

	if (row == NULL) {
		buffer_printf(error, "-o %s: unknown setting", assignment);
	} else {
		buffer_add_string(error, "-o ");
		if (row->kind == LIST)
			word_list_release(member(s, row));
		good = set(s, row, equals + 1, error);
		s->lines[row - rows] = -1;
	}
	if (good)
		buffer_clear(error);
	free(section);
	free(name);
	return good;
}

/* The state while a file is read. inih does not pass line numbers to its handler, so
 * lines are counted as they are read. */
struct reading {
	struct settings *settings;
	FILE *file;
	int line;
	bool too_long;
	int error_line; /* of the first invalid setting */
	struct buffer error;
};

static char *read_file_line(char *line, int size, void *stream)
{
	struct reading *reading = stream;

	if (reading->too_long || fgets(line, size, reading->file) == NULL)
		return NULL;
	reading->line++;
	size_t length = strlen(line);
	if (length > 0 && line[length - 1] != '\n' && !feof(reading->file)) {
		reading->too_long = true;
		return NULL;
	}
	return line;
}

static bool complain_of_unknown(const char *section, const char *name,
                                struct buffer *error)
{
	buffer_printf(error, "unknown setting %s.%s", section, name);
	for (size_t i = 0; i < SETTING_COUNT; i++)
		if (strcasecmp(rows[i].section, section) == 0 &&
		    strcasecmp(rows[i].name, name) == 0)
			buffer_printf(error, ": names are lower case: %s.%s",
			              rows[i].section, rows[i].name);
	return false;
}

static bool take_row(struct reading *reading, const char *section,
                     const char *name, const char *value)
{
	struct settings *s = reading->settings;
	const struct row *row = find_row(section, name);

	if (row == NULL)
		return complain_of_unknown(section, name, &reading->error);
	int *line = &s->lines[row - rows];
	if (*line == -1)
		return true;
	if (*line > 0 && row->kind != LIST) {
		buffer_printf(&reading->error, "%s.%s is already set in line %d: "
		              "remove one of the two", section, name, *line);
		return false;
	}
	/* The first line replaces the default; further lines add to it. */
	if (*line == 0 && row->kind == LIST)
		word_list_release(member(s, row));
	*line = reading->line;
	return set(s, row, value, &reading->error);
}

/* Cuts off a comment after the value. inih handles comments that begin with ';', but
 * not in place of a value, and none that begin with '#'. */
static char *without_comment(const char *value)
{
	size_t size = 0;

	while (value[size] != '\0' &&
	       !(strchr(";#", value[size]) != NULL &&
	         (size == 0 || strchr(" \t", value[size - 1]) != NULL)))
		size++;
	while (size > 0 && strchr(" \t", value[size - 1]) != NULL)
		size--;
	return memory_copy(value, size);
}

/* inih's handler: returns 1 if the setting is good, 0 for an error. inih continues
 * after an error; only the first is reported. */
static int take_setting(void *user, const char *section, const char *name,
                        const char *value)
{
	struct reading *reading = user;

	if (reading->error_line > 0)
		return 0;
	char *bare = without_comment(value);
	bool good = take_row(reading, section, name, bare);
	free(bare);
	if (!good)
		reading->error_line = reading->line;
	return good;
}

static bool read_rows(struct reading *reading, const char *path,
                      struct buffer *error)
{
	int bad_line = ini_parse_stream(read_file_line, reading, take_setting,
	                                reading);

	if (reading->too_long) {
		buffer_printf(error, "%s:%d: the line is too long", path,
		              reading->line);
		return false;
	}
	if (ferror(reading->file)) {
		buffer_printf(error, "%s: %s", path, strerror(errno));
		return false;
	}
	if (bad_line == 0)
		return true;
	buffer_printf(error, "%s:%d: ", path, bad_line);
	if (reading->error_line == bad_line)
		buffer_add_text(error, buffer_text(&reading->error));
	else
		buffer_add_string(error, "expected [section], name = value or a "
		                         "comment");
	return false;
}

bool settings_read_file(struct settings *s, const char *path,
                        struct buffer *error)
{
	struct buffer bytes = {0};
	struct reading reading = {.settings = s,
	                          .file = slow_file_open(path, &bytes)};

	if (reading.file == NULL) {
		buffer_printf(error, "%s: %s", path, strerror(errno));
		buffer_release(&bytes);
		return false;
	}
	free(s->file);
	s->file = memory_copy(path, strlen(path));
	bool good = read_rows(&reading, path, error);
	buffer_release(&reading.error);
	fclose(reading.file);
	buffer_release(&bytes);
	return good;
}

void settings_blame(const struct settings *s, enum setting_index index,
                    struct buffer *error)
{
	if (s->lines[index] > 0)
		buffer_printf(error, "%s:%d: ", s->file, s->lines[index]);
	else if (s->lines[index] == 0 && s->file != NULL)
		buffer_printf(error, "%s: ", s->file);
	else if (s->lines[index] == -1)
		buffer_add_string(error, "-o ");
	buffer_printf(error, "%s.%s: ", rows[index].section, rows[index].name);
}

static bool is_same(const struct row *row, const void *a, const void *b)
{
	if (row->kind == TEXT)
		return strcmp(*(char *const *)a, *(char *const *)b) == 0;
	if (row->kind == LIST)
		return word_list_is_same(a, b);
	return *(const int64_t *)a == *(const int64_t *)b;
}

static void copy(const struct row *row, void *to, const void *from)
{
	switch (row->kind) {
	case TEXT:
		free(*(char **)to);
		*(char **)to = memory_copy(*(char *const *)from,
		                           strlen(*(char *const *)from));
		break;
	case LIST:
		word_list_copy(to, from);
		break;
	default:
		*(int64_t *)to = *(const int64_t *)from;
	}
}

void settings_keep_started(struct settings *fresh, const struct settings *used,
                           struct buffer *differing)
{
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		const struct row *row = &rows[i];
		const void *now = (const char *)used + row->offset;

		if (row->when == LIVE || is_same(row, member(fresh, row), now))
			continue;
		copy(row, member(fresh, row), now);
		buffer_printf(differing, "%s%s.%s", differing->size > 0 ? ", " : "",
		              row->section, row->name);
	}
}
