/* The name of a room, checked. Pure.
 *
 * 1 to 64 of A-Z a-z 0-9 . _ ~ - (RFC 3986's unreserved characters, so a name
 * never needs escaping in a URL), neither "." nor "..". `room_` and digits is a
 * numbered room: 1 to INT64_MAX, no leading zero, nothing else. */
#ifndef LONGROOM_ROOM_NAME_H
#define LONGROOM_ROOM_NAME_H

#include <stdint.h>

#include "base/text.h"

enum { ROOM_NAME_MAX = 64 };

/* What is said of a name that breaks these rules; the detail of a problem. */
extern const char room_name_rule[];

struct room_name {
	int64_t number;                /* 26 for room_26; 0 for other names */
	char string[ROOM_NAME_MAX + 1]; /* with a NUL */
	unsigned char size;
};

/* False if text is not a valid room name; then *name is unspecified. */
bool room_name_parse(struct text text, struct room_name *name);

/* The name of a numbered room; number is 1 to INT64_MAX. */
void room_name_from_number(int64_t number, struct room_name *name);

struct text room_name_text(const struct room_name *name);

/* For the operator's log: 26 for room_26, the whole name for other rooms. */
struct text room_name_label(const struct room_name *name);

#endif
