/* The last request that was understood, byte for byte, what it asks for and who
 * asks.
 *
 * All who waited in a room get the same answer with the same cursor, and come
 * back with the same request. For all but the first of them it is enough to
 * compare. Who asks is in the bytes too, so the same bytes are of the same user,
 * with the same rights: until what proves it expires, or the settings change. */
#ifndef LONGROOM_REQUEST_MEMO_H
#define LONGROOM_REQUEST_MEMO_H

#include "poll_request.h"
#include "users.h"

enum { REQUEST_MEMO_MAX = 2048 };

/* That somebody was let in. */
struct pass {
	struct user *user;          /* held; NULL: not known by name */
	const struct text *headers; /* for pages of his origin; of the server */
	int64_t expires_ms;         /* monotonic; INT64_MAX: never */
};

struct request_memo {
	struct poll_request request;
	struct pass pass;
	size_t size; /* 0: there is none */
	char bytes[REQUEST_MEMO_MAX];
};

static inline bool request_memo_is(const struct request_memo *memo,
                                   struct text bytes, int64_t now_ms)
{
	return bytes.size == memo->size &&
	       memcmp(bytes.data, memo->bytes, bytes.size) == 0 &&
	       now_ms < memo->pass.expires_ms;
}

static inline void request_memo_forget(struct request_memo *memo,
                                       struct users *users)
{
	users_give_back(users, memo->pass.user);
	memo->pass.user = NULL;
	memo->size = 0;
}

/* Keeps it unless it is longer than REQUEST_MEMO_MAX. */
static inline void request_memo_keep(struct request_memo *memo,
                                     struct users *users, struct text bytes,
                                     const struct poll_request *request,
                                     const struct pass *pass)
{
	if (bytes.size == 0 || bytes.size > sizeof memo->bytes)
		return;
	request_memo_forget(memo, users);
	memcpy(memo->bytes, bytes.data, bytes.size);
	memo->size = bytes.size;
	memo->request = *request;
	memo->pass = *pass;
	if (pass->user != NULL)
		pass->user->holders++;
}

#endif
