/* The names that the open objects of one text have had so far, so that a member
 * that comes a second time is noticed when it comes. Pure.
 *
 * {0} has none. Names are kept in order: n of them cost n log n comparisons,
 * whoever chose them, and there is no hash to be guessed. */
#ifndef LONGROOM_JSON_NAMES_H
#define LONGROOM_JSON_NAMES_H

#include "base/buffer.h"

enum { JSON_DEPTH_MAX = 32 }; /* of objects and arrays in each other */

struct json_names {
	struct buffer bytes; /* of all names, one after the other */
	struct json_name *names; /* of each open object in order, by size first */
	size_t count, capacity;
	struct json_scope { /* of an open object: where its names begin */
		size_t names, bytes;
	} scopes[JSON_DEPTH_MAX];
	int depth; /* objects that are open */
};

void json_names_release(struct json_names *names);

/* Empties it and keeps the memory. */
void json_names_clear(struct json_names *names);

/* An object begins or ends, up to JSON_DEPTH_MAX in each other. */
void json_names_open(struct json_names *names);
void json_names_close(struct json_names *names);

/* Adds a name to the innermost object. False: it has that name already. */
bool json_names_add(struct json_names *names, struct text name);

#endif
