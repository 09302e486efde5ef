/* The rate limits for POSTs: for each user, and for each room (limits.user_sends,
 * user_burst, room_sends, room_burst). */
#ifndef LONGROOM_SEND_LIMITS_H
#define LONGROOM_SEND_LIMITS_H

#include "codec/room_name.h"
#include "config/settings.h"

struct send_limits;

struct send_limits *send_limits_new(void);
void send_limits_free(struct send_limits *limits);

/* Takes a token for a POST. False: there is none, so refuse it. Adds the RateLimit
 * headers in either case. From any thread. */
bool send_limits_take(struct send_limits *limits,
                      const struct limits_settings *settings,
                      struct text user_id, const struct room_name *room,
                      struct buffer *headers);

#endif
