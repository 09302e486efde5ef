/* The right to read the rooms that a request names: it is judged for each room, but
 * the user is identified once (access.h). */
#ifndef LONGROOM_ACCESS_ROOMS_H
#define LONGROOM_ACCESS_ROOMS_H

#include "auth/access.h"
#include "codec/room_list.h"

/* Moves the names of rooms that may not be read behind the others, each part in the
 * order in which it was given, and counts the others in *allowed. For every room (`*`)
 * there is nothing to move or to count.
 *
 * PROBLEM_NONE: at least one may be read; or grant->unverified is set, and the list is
 * unchanged; both as for access_ask(). Any other problem: refused, and there is nothing
 * to release. A list of one room is answered as access_ask() answers. */
struct problem access_rooms_ask(struct access *access,
                                const struct auth_settings *settings,
                                const struct credentials *credentials,
                                struct room_list *rooms, size_t *allowed,
                                const struct moment *now, struct grant *grant);

#endif
