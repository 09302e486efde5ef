/* The member names seen so far in the open objects of one JSON text, to detect
 * repeated members. Pure.
 *
 * {0} is empty. Names are kept sorted: n names take n log n comparisons, even if an
 * attacker chose them; with a hash table the attacker could try to make them
 * collide. */
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

/* An object begins or ends. Objects nest up to JSON_DEPTH_MAX deep. */
void json_names_open(struct json_names *names);
void json_names_close(struct json_names *names);

/* Adds a name to the innermost object. False: it has that name already. */
bool json_names_add(struct json_names *names, struct text name);

#endif
