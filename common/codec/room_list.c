#include "codec/room_list.h"

#include <stdlib.h>

#include "base/memory.h"
#include "codec/params.h"

static const struct problem fine = {PROBLEM_NONE, NULL};
static const struct problem bad_name = {PROBLEM_BAD_ROOM_NAME, room_name_rule};
static const struct problem too_many = {
	PROBLEM_BAD_PARAMETER, "more rooms than limits.rooms_per_request"};
static const struct problem beside_others = {
	PROBLEM_BAD_ROOM_NAME,
	"* is every room: name no other room beside it"};
static const struct problem named_twice = {PROBLEM_BAD_ROOM_NAME,
                                           "a room is named more than once"};

/* The encoding of a name of the greatest size, and of a comma. */
enum { ENCODED_MAX = 3 * ROOM_NAME_MAX + 3 };

static bool is_separator(struct text encoded, size_t at)
{
	const char *c = encoded.data + at;

	return *c == ',' || (*c == '%' && encoded.size - at >= 3 && c[1] == '2' &&
	                     (c[2] == 'C' || c[2] == 'c'));
}

/* Stops counting behind the limit. */
static size_t count_names(struct text encoded, size_t limit)
{
	size_t count = 1;

	for (size_t i = 0; i < encoded.size && count <= limit; i++)
		count += is_separator(encoded, i);
	return count;
}

static struct text cut_name(struct text *rest)
{
	const char *comma =
		rest->size > 0 ? memchr(rest->data, ',', rest->size) : NULL;
	struct text name = *rest;

	if (comma == NULL)
		return name;
	name.size = (size_t)(comma - name.data);
	rest->data += name.size + 1;
	rest->size -= name.size + 1;
	return name;
}

/* A place in the order of sorting; the names themselves keep theirs. */
struct sorted_name {
	const struct room_name *name;
};

static int compare_sorted(const void *a, const void *b)
{
	const struct sorted_name *first = a, *second = b;

	return strcmp(first->name->string, second->name->string);
}

static bool has_double(const struct room_list *list)
{
	struct sorted_name *sorted = memory_get(list->count * sizeof *sorted);
	bool found = false;

	for (size_t i = 0; i < list->count; i++)
		sorted[i].name = &list->names[i];
	qsort(sorted, list->count, sizeof *sorted, compare_sorted);
	for (size_t i = 1; i < list->count && !found; i++)
		found = compare_sorted(&sorted[i - 1], &sorted[i]) == 0;
	free(sorted);
	return found;
}

static struct problem read_names(struct text text, struct room_list *list)
{
	list->names = list->is_several
	                      ? memory_get(list->count * sizeof *list->names)
	                      : &list->one;
	for (size_t i = 0; i < list->count; i++) {
		struct text name = cut_name(&text);

		if (!room_name_parse(name, &list->names[i]))
			return text_is(name, "*") ? beside_others : bad_name;
	}
	return list->is_several && has_double(list) ? named_twice : fine;
}

static struct problem read_list(struct text text, size_t count,
                                struct room_list *list)
{
	if (text_is(text, "*")) {
		list->is_all = list->is_several = true;
		return fine;
	}
	list->count = count;
	list->is_several = count > 1;
	return read_names(text, list);
}

/* Most segments have nothing to decode. */
static struct problem decode_list(struct text encoded, size_t count,
                                  struct room_list *list)
{
	struct buffer decoded = {0};

	if (encoded.size > 0 && memchr(encoded.data, '%', encoded.size) == NULL)
		return read_list(encoded, count, list);
	struct problem wrong =
		percent_decode(encoded, false, &decoded)
			? read_list(buffer_text(&decoded), count, list)
			: bad_name;
	buffer_release(&decoded);
	return wrong;
}

struct problem room_list_parse(struct text encoded, size_t limit,
                               struct room_list *list)
{
	size_t count = count_names(encoded, limit);

	*list = (struct room_list){0};
	if (count > limit)
		return too_many;
	/* Some name is too long, so none is decoded. */
	if (encoded.size > count * ENCODED_MAX)
		return bad_name;
	struct problem wrong = decode_list(encoded, count, list);
	if (wrong.type != PROBLEM_NONE)
		room_list_release(list);
	return wrong;
}

void room_list_release(struct room_list *list)
{
	if (list->names != &list->one)
		free(list->names);
	*list = (struct room_list){0};
}

void room_list_render(const struct room_name *names, size_t count, struct buffer *b)
{
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buffer_add_string(b, ",");
		buffer_add_json(b, room_name_text(&names[i]));
	}
}
