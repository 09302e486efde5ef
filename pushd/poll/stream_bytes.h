/* A stream's bytes: its head, its pieces, its end, as its client's version of HTTP
 * wants them. When to send what is for stream.h. */
#ifndef LONGROOM_STREAM_BYTES_H
#define LONGROOM_STREAM_BYTES_H

#include "http/answer.h"
#include "poll/poll.h"

/* Small, since there may be very many. Times are the lower half of the monotonic
 * clock's milliseconds: a life is a day at most, of 49. */
struct stream {
	struct feed *feed; /* held */
	struct buffer about; /* until it is ready: see events_add_about() */
	int64_t sent_id; /* of the last cursor sent */
	uint32_t end_ms; /* of its life */
	uint32_t sent_ms; /* when it was last sent something */
};

/* Returns the head if it has not been sent, and these events; then those of a chunk,
 * if it is not NULL. The caller sends it. */
struct answer *stream_begin_with(struct poll *poll, struct text events,
                                 const struct answer *chunk);

/* Takes a reference. True: it is written. False: it is being written, or the stream is
 * gone. */
static inline bool stream_send(struct poll *poll, struct answer *piece)
{
	poll->stream->sent_ms = (uint32_t)poll_now(poll)->steady_ms;
	return connection_stream(&poll->connection, piece);
}

/* Sends these last events. Afterwards the poll may have the connection's next
 * request. */
void stream_finish(struct poll *poll, struct text events);

/* Answers HEAD. */
void stream_answer_head(struct poll *poll);

/* Answers with a problem (429 or 503) as an event, and counts it. */
void stream_answer_problem(struct poll *poll, struct problem problem);

#endif
