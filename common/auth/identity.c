#include "auth/identity.h"

#include <stdlib.h>

#include "codec/pattern.h"

void identity_release(struct identity *identity)
{
	free(identity->user_id);
	free(identity->username);
	free(identity->sender_type);
	word_list_release(&identity->read);
	word_list_release(&identity->write);
	*identity = (struct identity){0};
}

bool identity_may_read(const struct identity *identity,
                       const struct room_name *room)
{
	return identity->is_known &&
	       pattern_list_matches(&identity->read, room->string);
}

bool identity_may_read_all(const struct identity *identity)
{
	return identity->is_known && pattern_list_matches_all(&identity->read);
}

bool identity_may_write(const struct identity *identity,
                        const struct room_name *room)
{
	return identity->is_known &&
	       pattern_list_matches(&identity->write, room->string);
}
