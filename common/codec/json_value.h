/* The members of JSON objects and the items of arrays: those that the caller wants,
 * or one after the other. Pure.
 *
 * A text is read once, to its end, and all of it is checked: what is wrong anywhere
 * is found, whether it is wanted or not. No tree is built. What is nested is given as
 * it was written, a slice that was checked and can be read in its turn; so numbers
 * keep all of their digits, and objects the order of their members. */
#ifndef LONGROOM_JSON_VALUE_H
#define LONGROOM_JSON_VALUE_H

#include "codec/json_reader.h"

struct json_value {
	/* JSON_FAULT: it is not there. JSON_STRING, JSON_NUMBER, JSON_TRUE,
	 * JSON_FALSE, JSON_NULL, or the beginning of an object or array. */
	enum json_token kind;
	struct text written; /* from its first byte to its last; borrowed */
	const char *string; /* of a JSON_STRING: its characters, and a NUL; or NULL */
};

/* Reads a text, of any bytes, that is to be an object in UTF-8 which has each member
 * once, as have those in it. *values gets `count` of them, one for each of names,
 * of which some may be the same. False: it is not like this, and no value is there.
 *
 * The strings of the values are in *strings, which is emptied before, and reserved
 * at once. */
bool json_object_read(struct text text, const char *const *names, size_t count,
                      struct json_value *values, struct buffer *strings);

/* One after the other what is in an object or array that was checked: a value's
 * written text. False: there is no more. A member's name replaces what *name has; a
 * value's string is in *string, until the next. */
void json_value_open(struct text written, struct json_reader *reader);
bool json_member_next(struct json_reader *reader, struct buffer *name,
                      struct json_value *value, struct buffer *string);
bool json_item_next(struct json_reader *reader, struct json_value *value,
                    struct buffer *string);

/* Whether it is absent, or of this kind. */
bool json_value_may_be(const struct json_value *value, enum json_token kind);

/* Whether it is a string, and this one. */
bool json_value_is(const struct json_value *value, const char *string);

/* Whether it is a number; *whole is what it has before the point: of -1.5 it is -1,
 * of 25e-1 it is 2. Beyond int64_t it is the nearest that there is. */
bool json_value_whole(const struct json_value *value, int64_t *whole);

/* Adds a value that was checked without white space: strings in the spelling of
 * buffer_add_json(), numbers as they were written. */
void json_value_render(const struct json_value *value, struct buffer *b);

#endif
