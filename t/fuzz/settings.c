/* Fuzzes common/settings: the input is a settings file; what follows a line
 * "%%" are arguments of -o, one a line.
 *
 * Accepted settings are within the table's ranges and survive being written
 * down; -o takes precedence in either order; a refusal has an explanation. No
 * name is looked up: the program is linked with -Wl,--wrap=getaddrinfo. */
#define _GNU_SOURCE
#include "codec/pattern.h"
#include "program/settings_check.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

enum kind { TEXT, LIST, INTEGER, SIZE, TIME, CHOICE };

struct row {
	const char *section, *name;
	enum kind kind;
	size_t offset;
	int64_t least, most;
	const char *choices;
};

static const struct row rows[SETTING_COUNT] = {
#define SETTING(section, name, kind, when, initial, least, most, choices, \
                meaning)                                                  \
	{#section, #name, kind,                                           \
	 offsetof(struct settings, section) +                             \
	         offsetof(struct section##_settings, name),               \
	 least, most, choices},
#include "config/settings.def"
};

int __real_getaddrinfo(const char *host, const char *port,
                       const struct addrinfo *hints, struct addrinfo **found);
int __wrap_getaddrinfo(const char *host, const char *port,
                       const struct addrinfo *hints, struct addrinfo **found);

int __wrap_getaddrinfo(const char *host, const char *port,
                       const struct addrinfo *hints, struct addrinfo **found)
{
	struct addrinfo numeric = *hints;

	numeric.ai_flags |= AI_NUMERICHOST | AI_NUMERICSERV;
	return __real_getaddrinfo(host, port, &numeric, found);
}

static const void *member(const struct settings *s, const struct row *row)
{
	return (const char *)s + row->offset;
}

static int64_t number(const struct settings *s, const struct row *row)
{
	return *(const int64_t *)member(s, row);
}

static int64_t count_choices(const char *choices)
{
	int64_t count = 1;

	for (; *choices != '\0'; choices++)
		count += *choices == '|';
	return count;
}

static void check_words(const struct word_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		CLAIM(list->words[i][0] != '\0');
		CLAIM(strpbrk(list->words[i], ", \t") == NULL);
	}
}

static void check_row(const struct settings *s, const struct row *row)
{
	switch (row->kind) {
	case TEXT:
		CLAIM(*(char *const *)member(s, row) != NULL);
		break;
	case LIST:
		check_words(member(s, row));
		break;
	case CHOICE:
		CLAIM(number(s, row) >= 0 &&
		      number(s, row) < count_choices(row->choices));
		break;
	default:
		CLAIM(number(s, row) >= row->least &&
		      number(s, row) <= row->most);
	}
}

static void add_choice(struct buffer *b, const char *choices, int64_t index)
{
	while (index-- > 0)
		choices = strchr(choices, '|') + 1;
	buffer_add(b, choices, strcspn(choices, "|"));
}

static void add_words(struct buffer *b, const struct word_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		buffer_add_string(b, i > 0 ? "," : "");
		buffer_add_string(b, list->words[i]);
	}
}

/* section.name=value, with a NUL. */
static void write_row(struct buffer *b, const struct settings *s,
                      const struct row *row)
{
	buffer_printf(b, "%s.%s=", row->section, row->name);
	if (row->kind == TEXT)
		buffer_add_string(b, *(char *const *)member(s, row));
	else if (row->kind == LIST)
		add_words(b, member(s, row));
	else if (row->kind == CHOICE)
		add_choice(b, row->choices, number(s, row));
	else
		buffer_printf(b, "%lld%s", (long long)number(s, row),
		              row->kind == TIME ? "ms" : "");
	buffer_add(b, "", 1);
}

static void check_same(const struct settings *a, const struct settings *b)
{
	struct buffer one = {0}, other = {0};

	for (size_t i = 0; i < SETTING_COUNT; i++) {
		buffer_clear(&one);
		buffer_clear(&other);
		write_row(&one, a, &rows[i]);
		write_row(&other, b, &rows[i]);
		CLAIM(text_equal(buffer_text(&one), buffer_text(&other)));
	}
	buffer_release(&one);
	buffer_release(&other);
}

static void check_written(const struct settings *s)
{
	struct buffer line = {0}, error = {0};
	struct settings again;

	settings_init(&again);
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		buffer_clear(&line);
		write_row(&line, s, &rows[i]);
		CLAIM(settings_override(&again, line.data, &error));
		CLAIM(error.size == 0);
	}
	check_same(s, &again);
	settings_release(&again);
	buffer_release(&line);
	buffer_release(&error);
}

static bool override_all(struct settings *s, struct text lines)
{
	struct buffer error = {0};
	bool good = true;

	while (good && lines.size > 0) {
		struct text line = without_nul(cut_line(&lines));
		char *assignment = strndup(line.size > 0 ? line.data : "",
		                           line.size);

		good = settings_override(s, assignment, &error);
		CLAIM(good == (error.size == 0));
		free(assignment);
	}
	buffer_release(&error);
	return good;
}

static bool read_file(struct settings *s, const char *path)
{
	struct buffer error = {0};
	bool good = settings_read_file(s, path, &error);

	CLAIM(good == (error.size == 0));
	CLAIM(good || (error.size > strlen(path) + 1 &&
	               memcmp(error.data, path, strlen(path)) == 0));
	CLAIM(good || memchr(error.data, '\n', error.size) == NULL);
	buffer_release(&error);
	return good;
}

/* Names of services are not looked up here, so a port is a number. */
static void check_address(const char *address)
{
	const char *port = strrchr(address, ':') + 1;

	if (strncmp(address, "unix:", 5) == 0)
		return;
	CLAIM(port[0] != '\0' && strspn(port, "0123456789") == strlen(port));
	CLAIM(strlen(port) <= 5 && atoi(port) <= 65535);
}

static void check_together(const struct settings *s)
{
	struct buffer error = {0};
	bool good = settings_check(s, &error);

	CLAIM(good == (error.size == 0));
	if (good) {
		CLAIM(s->auth.mode != AUTH_TOKEN || s->auth.keys.count > 0);
		CLAIM(s->push.listen.count > 0);
		check_address(s->history.listen);
		for (size_t i = 0; i < s->push.listen.count; i++)
			check_address(s->push.listen.words[i]);
	}
	pattern_list_matches(&s->rooms.ephemeral, "room_26");
	buffer_release(&error);
}

/* Both ways round; checks nothing if one of them refuses. */
static void check_order(const char *path, struct text lines)
{
	struct settings before, after;

	settings_init(&before);
	settings_init(&after);
	if (override_all(&before, lines) && read_file(&before, path) &&
	    read_file(&after, path) && override_all(&after, lines)) {
		check_same(&before, &after);
		for (size_t i = 0; i < SETTING_COUNT; i++)
			check_row(&before, &rows[i]);
		check_written(&before);
		check_together(&before);
	}
	settings_release(&before);
	settings_release(&after);
}

/* Cuts what is before a line "%%" from *rest, which becomes what is after it;
 * all of it if there is no such line. */
static struct text cut_file(struct text *rest)
{
	struct text all = *rest;

	while (rest->size > 0) {
		size_t size = (size_t)(rest->data - all.data);

		if (text_is(cut_line(rest), "%%"))
			return (struct text){all.data, size};
	}
	return all;
}

/* An open file that exists in memory only; its path opens it again. */
static int memory_file(char *path, size_t size)
{
	int fd = memfd_create("longroom.conf", 0);

	CLAIM(fd >= 0);
	snprintf(path, size, "/proc/self/fd/%d", fd);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char path[64];
	static int fd = -1;
	struct text rest = input_text(data, size);
	struct text file = cut_file(&rest);

	if (fd < 0)
		fd = memory_file(path, sizeof path);
	CLAIM(ftruncate(fd, 0) == 0);
	CLAIM(pwrite(fd, file.data, file.size, 0) == (ssize_t)file.size);
	check_order(path, rest);
	return 0;
}
