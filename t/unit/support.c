/* What the unit tests share: folders, stores, JSON that must be valid, numbers
 * that are the same in every run. */
#include "unit.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

struct room_name room_named(const char *string)
{
	struct room_name room;

	expect(room_name_parse(text_of(string), &room), "%s", string);
	return room;
}

char *path_in(const char *folder, const char *name)
{
	size_t size = strlen(folder) + strlen(name) + 2;
	char *path = memory_get(size);

	snprintf(path, size, "%s/%s", folder, name);
	return path;
}

char *folder_make(void)
{
	const char *parent = getenv("TMPDIR");
	char *folder = path_in(parent != NULL ? parent : "/tmp",
	                       "longroom-unit.XXXXXX");

	assert_non_null(mkdtemp(folder));
	return folder;
}

void folder_remove(char *folder)
{
	DIR *files = opendir(folder);
	struct dirent *file;

	assert_non_null(files);
	while ((file = readdir(files)) != NULL) {
		char *path = path_in(folder, file->d_name);

		/* Fails for "." and "..", which go with the folder. */
		unlink(path);
		free(path);
	}
	closedir(files);
	assert_int_equal(rmdir(folder), 0);
	free(folder);
}

void file_write(const char *path, struct text text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text.data, 1, text.size, file), text.size);
	assert_int_equal(fclose(file), 0);
}

void file_read(const char *path, struct buffer *bytes)
{
	FILE *file = fopen(path, "r");
	char data[4096];
	size_t size;

	expect(file != NULL, "%s", path);
	while ((size = fread(data, 1, sizeof data, file)) > 0)
		buffer_add(bytes, data, size);
	fclose(file);
}

void settings_use_sqlite(struct settings *settings, const char *path)
{
	struct buffer assignment = {0}, error = {0};

	buffer_printf(&assignment, "store.url=sqlite:%s", path);
	buffer_add(&assignment, "", 1);
	assert_true(settings_override(settings, assignment.data, &error));
	buffer_release(&assignment);
	buffer_release(&error);
}

struct store *store_of(const struct settings *settings, enum store_access access)
{
	struct buffer error = {0};
	struct store *store = store_new(&settings->store, access, &error);

	expect(store != NULL, "%.*s", TEXT_ARGS(buffer_text(&error)));
	return store;
}

json_object *json_read(struct text text)
{
	json_tokener *tokener = json_tokener_new();
	json_object *value;

	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT |
	                                        JSON_TOKENER_VALIDATE_UTF8);
	value = json_tokener_parse_ex(tokener, text.data, (int)text.size);
	expect(value != NULL &&
	               json_tokener_get_parse_end(tokener) == text.size,
	       "not JSON: %.*s", TEXT_ARGS(text));
	json_tokener_free(tokener);
	return value;
}

json_object *json_member(json_object *object, const char *name)
{
	json_object *member = NULL;

	expect(json_object_object_get_ex(object, name, &member), "%s in %s",
	       name, json_object_to_json_string(object));
	return member;
}

struct text json_text(json_object *object, const char *name)
{
	json_object *member = json_member(object, name);

	expect(json_object_is_type(member, json_type_string), "%s", name);
	return (struct text){json_object_get_string(member),
	                     (size_t)json_object_get_string_len(member)};
}

int64_t json_number(json_object *object, const char *name)
{
	json_object *member = json_member(object, name);

	expect(json_object_is_type(member, json_type_int), "%s", name);
	return json_object_get_int64(member);
}

bool json_flag(json_object *object, const char *name)
{
	return json_object_get_boolean(json_object_object_get(object, name));
}

struct random random_from(uint64_t seed)
{
	print_message("# random numbers from %" PRIu64 "\n", seed);
	return (struct random){seed};
}

/* SplitMix64 (Steele, Lea, Flood 2014): any seed will do. */
uint64_t random_next(struct random *random)
{
	uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

size_t random_below(struct random *random, size_t below)
{
	return (size_t)(random_next(random) % below);
}
