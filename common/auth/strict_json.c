#include "auth/strict_json.h"

#include <json_visit.h>

#include "base/utf8.h"
#include "codec/json_reader.h"

/* Counts the members of all objects. False: it is no JSON text. */
static bool scan(struct text text, size_t *members)
{
	struct json_reader reader;
	struct buffer string = {0};
	enum json_token token;

	json_reader_init(&reader, text);
	do {
		token = json_next(&reader, &string);
		*members += token == JSON_NAME;
	} while (token != JSON_END && token != JSON_FAULT);
	buffer_release(&string);
	return token == JSON_END;
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
	size_t members = 0;

	if (!utf8_valid(text) || !scan(text, &members))
		return NULL;
	json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX + 1);
	if (tokener == NULL)
		return NULL;
	json_object *object =
		json_tokener_parse_ex(tokener, text.data, (int)text.size);
	bool good = json_tokener_get_error(tokener) == json_tokener_success &&
	            json_object_is_type(object, json_type_object) &&
	            count_members(object) == members;
	json_tokener_free(tokener);
	if (good)
		return object;
	json_object_put(object);
	return NULL;
}
