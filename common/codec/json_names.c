#include "codec/json_names.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

struct json_name {
	size_t at, size; /* in bytes */
};

void json_names_release(struct json_names *names)
{
	buffer_release(&names->bytes);
	free(names->names);
	*names = (struct json_names){0};
}

void json_names_clear(struct json_names *names)
{
	buffer_clear(&names->bytes);
	names->count = 0;
	names->depth = 0;
}

void json_names_open(struct json_names *names)
{
	assert(names->depth < JSON_DEPTH_MAX);
	names->scopes[names->depth++] =
		(struct json_scope){names->count, names->bytes.size};
}

void json_names_close(struct json_names *names)
{
	assert(names->depth > 0);
	const struct json_scope *scope = &names->scopes[--names->depth];

	names->count = scope->names;
	names->bytes.size = scope->bytes;
}

/* Compares sizes first: most names differ in size. */
static int compare_name(const struct json_names *names, size_t which,
                        struct text name)
{
	const struct json_name *other = &names->names[which];

	if (other->size != name.size)
		return other->size < name.size ? -1 : 1;
	return name.size > 0 ? memcmp(names->bytes.data + other->at, name.data,
	                              name.size)
	                     : 0;
}

/* Returns where a name belongs among those of the innermost object. */
static size_t place_of_name(const struct json_names *names, struct text name,
                            bool *is_there)
{
	size_t from = names->scopes[names->depth - 1].names, to = names->count;

	*is_there = false;
	while (from < to && !*is_there) {
		size_t middle = from + (to - from) / 2;
		int order = compare_name(names, middle, name);

		*is_there = order == 0;
		if (order < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

bool json_names_add(struct json_names *names, struct text name)
{
	bool is_there;

	assert(names->depth > 0);
	size_t place = place_of_name(names, name, &is_there);
	if (is_there)
		return false;
	if (names->count == names->capacity) {
		names->capacity = names->capacity > 0 ? 2 * names->capacity : 16;
		names->names = memory_resize(names->names,
		                             names->capacity *
		                                     sizeof *names->names);
	}
	memmove(&names->names[place + 1], &names->names[place],
	        (names->count - place) * sizeof *names->names);
	names->names[place] = (struct json_name){names->bytes.size, name.size};
	names->count++;
	buffer_add_text(&names->bytes, name);
	return true;
}
