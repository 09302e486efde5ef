/* What a client does with the events of its stream. It knows Longroom's events, and
 * those of nchan, which have no names. */
#ifndef LONGROOM_LOAD_STREAM_H
#define LONGROOM_LOAD_STREAM_H

#include "client.h"

/* Before the client asks for a stream. */
void stream_begin(struct follower_client *client);

/* Handles the whole events in a piece of the stream and returns their size. The client
 * is `ready` once its stream has begun. */
size_t stream_take(struct follower_client *client, char *data, size_t size);

/* The stream is over; lost: though it was not complete. */
void stream_end(struct follower_client *client, bool lost);

#endif
