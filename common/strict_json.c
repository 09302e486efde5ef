#include "strict_json.h"

#include <json_visit.h>

#include "utf8.h"

enum { DEPTH_MAX = 32 };

/* What is left to read, and the members that were seen, in all objects. */
struct scan {
	struct text rest;
	size_t members;
};

static bool is_next(const struct scan *scan, char c)
{
	return scan->rest.size > 0 && scan->rest.data[0] == c;
}

static void skip(struct scan *scan, size_t size)
{
	scan->rest.data += size;
	scan->rest.size -= size;
}

static bool take(struct scan *scan, char c)
{
	if (!is_next(scan, c))
		return false;
	skip(scan, 1);
	return true;
}

static bool is_one_of(char c, const char *characters)
{
	return c != '\0' && strchr(characters, c) != NULL;
}

/* Returns how many there were. */
static size_t take_all_of(struct scan *scan, const char *characters)
{
	size_t size = 0;

	while (size < scan->rest.size &&
	       is_one_of(scan->rest.data[size], characters))
		size++;
	skip(scan, size);
	return size;
}

static void skip_white(struct scan *scan)
{
	take_all_of(scan, " \t\r\n");
}

static bool take_word(struct scan *scan, const char *word)
{
	size_t size = strlen(word);

	if (scan->rest.size < size || memcmp(scan->rest.data, word, size) != 0)
		return false;
	skip(scan, size);
	return true;
}

/* What follows the \ in a string. */
static bool take_escape(struct scan *scan)
{
	if (scan->rest.size == 0)
		return false;
	if (is_one_of(scan->rest.data[0], "\"\\/bfnrt")) {
		skip(scan, 1);
		return true;
	}
	if (scan->rest.size < 5 || take_word(scan, "u0000") || !take(scan, 'u'))
		return false;
	for (int i = 0; i < 4; i++) {
		if (!is_one_of(scan->rest.data[0], "0123456789abcdefABCDEF"))
			return false;
		skip(scan, 1);
	}
	return true;
}

static bool take_string(struct scan *scan)
{
	if (!take(scan, '"'))
		return false;
	while (!take(scan, '"')) {
		if (scan->rest.size == 0 ||
		    (unsigned char)scan->rest.data[0] < 0x20)
			return false;
		if (!take(scan, '\\'))
			skip(scan, 1);
		else if (!take_escape(scan))
			return false;
	}
	return true;
}

static bool take_number(struct scan *scan)
{
	static const char digits[] = "0123456789";

	take(scan, '-');
	if (!take(scan, '0') && take_all_of(scan, digits) == 0)
		return false;
	if (take(scan, '.') && take_all_of(scan, digits) == 0)
		return false;
	if (!take(scan, 'e') && !take(scan, 'E'))
		return true;
	if (!take(scan, '+'))
		take(scan, '-');
	return take_all_of(scan, digits) > 0;
}

static bool take_value(struct scan *scan, int depth);

static bool take_member(struct scan *scan, int depth)
{
	skip_white(scan);
	if (!take_string(scan))
		return false;
	skip_white(scan);
	scan->members++;
	return take(scan, ':') && take_value(scan, depth);
}

/* Items up to the end of an object or array, whose beginning was taken. */
static bool take_items(struct scan *scan, int depth, char end,
                       bool (*take_item)(struct scan *, int))
{
	if (depth > DEPTH_MAX)
		return false;
	skip_white(scan);
	if (take(scan, end))
		return true;
	do {
		if (!take_item(scan, depth))
			return false;
	} while (take(scan, ','));
	return take(scan, end);
}

/* With the white space around it. */
static bool take_value(struct scan *scan, int depth)
{
	bool good;

	skip_white(scan);
	if (take(scan, '{'))
		good = take_items(scan, depth + 1, '}', take_member);
	else if (take(scan, '['))
		good = take_items(scan, depth + 1, ']', take_value);
	else if (is_next(scan, '"'))
		good = take_string(scan);
	else
		good = take_word(scan, "true") || take_word(scan, "false") ||
		       take_word(scan, "null") || take_number(scan);
	skip_white(scan);
	return good;
}

/* For json_c_visit(), which comes to what has members a second time. */
static int count_member(json_object *value, int flags, json_object *parent,
                        /* NOLINTNEXTLINE(readability-non-const-parameter) */
                        const char *name, size_t *index, void *count)
{
	(void)value;
	(void)parent;
	(void)index;
	if (name != NULL && flags != JSON_C_VISIT_SECOND)
		++*(size_t *)count;
	return JSON_C_VISIT_RETURN_CONTINUE;
}

static size_t count_members(json_object *value)
{
	size_t count = 0;

	json_c_visit(value, 0, count_member, &count);
	return count;
}

/* json-c keeps the last of two members with the same name. It compares names
 * without their escapes, so one that is written in another way is found too. */
json_object *strict_json_parse(struct text text)
{
	struct scan scan = {.rest = text};

	if (text.size == 0 || !utf8_valid(text) ||
	    !take_value(&scan, 0) || scan.rest.size > 0)
		return NULL;
	json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX + 1);
	if (tokener == NULL)
		return NULL;
	json_object *object =
		json_tokener_parse_ex(tokener, text.data, (int)text.size);
	bool good = json_tokener_get_error(tokener) == json_tokener_success &&
	            json_object_is_type(object, json_type_object) &&
	            count_members(object) == scan.members;
	json_tokener_free(tokener);
	if (good)
		return object;
	json_object_put(object);
	return NULL;
}
