/* Writes the requests of clients that follow rooms. */
#ifndef LONGROOM_LOAD_REQUEST_H
#define LONGROOM_LOAD_REQUEST_H

#include "client.h"

/* Room for any request with these options. */
size_t request_room(const struct options *options);

/* How long a poll may wait for its answer. */
int64_t request_poll_timeout_s(const struct follower_client *client);

/* Writes what the client asks for in its stage; returns the size. */
size_t request_write(const struct follower_client *client, char *request);

#endif
