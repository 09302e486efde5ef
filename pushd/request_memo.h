/* The last request that was understood, byte for byte, and what it asks for.
 *
 * All who waited in a room get the same answer with the same cursor, and come
 * back with the same request. For all but the first of them it is enough to
 * compare. Pure. */
#ifndef LONGROOM_REQUEST_MEMO_H
#define LONGROOM_REQUEST_MEMO_H

#include "poll_request.h"

enum { REQUEST_MEMO_MAX = 1024 };

struct request_memo {
	struct poll_request request;
	size_t size; /* 0: there is none */
	char bytes[REQUEST_MEMO_MAX];
};

static inline bool request_memo_is(const struct request_memo *memo,
                                   struct text bytes)
{
	return bytes.size == memo->size &&
	       memcmp(bytes.data, memo->bytes, bytes.size) == 0;
}

/* Keeps it unless it is longer than REQUEST_MEMO_MAX. */
static inline void request_memo_keep(struct request_memo *memo,
                                     struct text bytes,
                                     const struct poll_request *request)
{
	if (bytes.size == 0 || bytes.size > sizeof memo->bytes)
		return;
	memcpy(memo->bytes, bytes.data, bytes.size);
	memo->size = bytes.size;
	memo->request = *request;
}

#endif
