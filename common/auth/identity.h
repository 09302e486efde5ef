/* An identity: a user, and the rooms that they may read and write. Pure. */
#ifndef LONGROOM_IDENTITY_H
#define LONGROOM_IDENTITY_H

#include "base/word_list.h"
#include "codec/room_name.h"

struct identity {
	char *user_id, *username, *sender_type;
	struct word_list read, write; /* patterns */
	bool is_known;                /* false: unauthenticated, without rights */
};

void identity_release(struct identity *identity);

bool identity_may_read(const struct identity *identity,
                       const struct room_name *room);
/* Every room, those that come to be later too. */
bool identity_may_read_all(const struct identity *identity);
bool identity_may_write(const struct identity *identity,
                        const struct room_name *room);

#endif
