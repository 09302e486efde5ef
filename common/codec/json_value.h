/* Reads the members of JSON objects and the items of arrays, either by name or one
 * after another. Pure.
 *
 * A text is read once, to its end, and all of it is checked, including members that
 * the caller does not ask for. No tree is built. A nested value is given as a slice
 * of the text, already checked, which can be read in turn. So numbers keep all of
 * their digits, and objects the order of their members. */
#ifndef LONGROOM_JSON_VALUE_H
#define LONGROOM_JSON_VALUE_H

#include "codec/json_reader.h"

struct json_value {
	/* JSON_FAULT: absent. Otherwise JSON_STRING, JSON_NUMBER, JSON_TRUE,
	 * JSON_FALSE, JSON_NULL, or the beginning of an object or array. */
	enum json_token kind;
	struct text written; /* from its first byte to its last; borrowed */
	const char *string; /* of a JSON_STRING: its characters, and a NUL; or NULL */
};

/* Reads a text, which may be any bytes. True if it is a JSON object in UTF-8 without
 * repeated members at any depth: then values[i] is the member with the name
 * names[i], for each of the `count` names. Some of the names may be the same. False:
 * the text is not such an object, and all values are absent.
 *
 * The strings of the values are in *strings, which is emptied first and grown
 * once. */
bool json_object_read(struct text text, const char *const *names, size_t count,
                      struct json_value *values, struct buffer *strings);

/* Iterate over an object or array that was already checked, given by a value's
 * written text. False: the end. A member's name replaces the content of *name. A
 * value's string is in *string until the next call. */
void json_value_open(struct text written, struct json_reader *reader);
bool json_member_next(struct json_reader *reader, struct buffer *name,
                      struct json_value *value, struct buffer *string);
bool json_item_next(struct json_reader *reader, struct json_value *value,
                    struct buffer *string);

/* Whether it is absent, or of this kind. */
bool json_value_may_be(const struct json_value *value, enum json_token kind);

/* Whether it is a string, and this one. */
bool json_value_is(const struct json_value *value, const char *string);

/* Whether it is a number. *whole is its integer part: -1 for -1.5, 2 for 25e-1. A
 * number outside int64_t gives the nearest int64_t. */
bool json_value_whole(const struct json_value *value, int64_t *whole);

/* Adds an already checked value without white space: strings in the spelling of
 * buffer_add_json(), numbers as they were written. */
void json_value_render(const struct json_value *value, struct buffer *b);

#endif
