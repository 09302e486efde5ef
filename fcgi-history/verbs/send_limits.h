/* How often a user may send, and how often all may send to a room
 * (limits.user_sends and those below it). */
#ifndef LONGROOM_SEND_LIMITS_H
#define LONGROOM_SEND_LIMITS_H

#include "codec/room_name.h"
#include "config/settings.h"

struct send_limits;

struct send_limits *send_limits_new(void);
void send_limits_free(struct send_limits *limits);

/* Counts a POST, or says that it is one too many. Adds the headers that tell the
 * client how many more they may make. From any thread. */
bool send_limits_take(struct send_limits *limits,
                      const struct limits_settings *settings,
                      struct text user_id, const struct room_name *room,
                      struct buffer *headers);

#endif
