/* An HTTP answer as bytes, rendered once and shared by all connections that get
 * it: a whole response, or a piece of one whose end is not known yet (a stream). */
#ifndef LONGROOM_ANSWER_H
#define LONGROOM_ANSWER_H

#include "base/buffer.h"

enum { ANSWER_VARIANTS = 2 }; /* pages of few origins wait in a room */

/* Immutable except for the variants that it keeps. Freed with its last reference.
 * One thread. */
struct answer {
	size_t refcount;
	size_t readers; /* of those that hold it; for unread.h */
	size_t size;
	size_t head_size; /* what comes before the body; of a chunk: before its
	                   * content */
	bool closes; /* the connection ends with it */
	bool is_chunk; /* framed for HTTP/1.1. Clients of HTTP/1.0 get only its
	                * content */
	struct answer *variants[ANSWER_VARIANTS]; /* held */
	unsigned next_variant;
	size_t extra_size; /* of a variant: the headers at the end of its head */
	char data[];
};

/* Each returns one reference. `closes` adds Connection: close. `headers` are
 * additional ones, each with its CR LF. */
struct answer *answer_text(int status, const char *media_type, const char *headers,
                           struct text body, bool closes);
/* Only a head. */
struct answer *answer_empty(int status, struct text headers, bool closes);
/* A head with exactly these headers and a Date, and what follows it, as it is. */
struct answer *answer_framed(int status, struct text headers, struct text body,
                             bool closes);

/* A piece of a response: content, which must not be empty, as one chunk (RFC 9112
 * section 7.1). All clients share it, whatever their version of HTTP. */
struct answer *answer_chunk(struct text content);
/* A piece that is framed already. */
struct answer *answer_piece(struct text bytes, bool closes);

/* Adds one chunk, or the end of the last one. */
void chunk_add(struct buffer *b, struct text content);
void chunk_add_end(struct buffer *b);

/* Returns what a client gets that reads no chunks. */
static inline struct text answer_content(const struct answer *chunk)
{
	return (struct text){chunk->data + chunk->head_size,
	                     chunk->size - chunk->head_size - 2};
}

/* Returns a reference to the same answer as one that closes. */
struct answer *answer_closing(const struct answer *answer);

/* Returns a reference to the same answer with more headers, each with its CR LF. It
 * is rendered once for all connections that need the same headers. */
struct answer *answer_with_headers(struct answer *answer, struct text headers);

struct answer *answer_ref(struct answer *answer);
void answer_unref(struct answer *answer);

#endif
