/* Somebody in a room, and what one longroom-pushd says of rooms. All is borrowed. */
#ifndef LONGROOM_PERSON_H
#define LONGROOM_PERSON_H

#include "base/text.h"
#include "codec/room_name.h"

/* Somebody known by name. Texts of 1 to 128 bytes each, UTF-8 without controls. */
struct person {
	struct text user_id;
	struct text username;
	struct text sender_type;
};

enum statement_kind {
	STATEMENT_HERE = 2,  /* the person is in the room, or still is */
	STATEMENT_LEFT,      /* ... is no longer; of the person only user_id is set */
	STATEMENT_ANONYMOUS, /* so many without a user id are there */
};

struct statement {
	enum statement_kind kind;
	const struct room_name *room;
	struct person person;
	int64_t anonymous;
};

#endif
