/* The last request that was understood, byte for byte, what it asks for and who
 * asks.
 *
 * All who waited in a room get the same answer with the same cursor, and come
 * back with the same request. For all but the first of them it is enough to
 * compare. Who asks is in the bytes too, so the same bytes are of the same user,
 * with the same rights: until what proves it expires, or the settings change.
 *
 * Where all have tokens of their own, all but the token is the same. Then
 * only who asks has to be found out; that the rest is in order is known. */
#ifndef LONGROOM_REQUEST_MEMO_H
#define LONGROOM_REQUEST_MEMO_H

#include "base/clock.h"
#include "base/users.h"
#include "poll/poll_request.h"

enum { REQUEST_MEMO_MAX = 2048 };

/* That somebody was let in. */
struct pass {
	struct user *user;          /* held; NULL: not known by name */
	const struct text *headers; /* for pages of their origin; of the polls */
	struct moment expires;      /* or moment_never */
};

struct request_memo {
	struct poll_request request;
	struct pass pass;
	size_t size; /* 0: there is none */
	size_t token_at, token_size; /* 0: none that another could replace */
	char bytes[REQUEST_MEMO_MAX];
};

static inline bool request_memo_is(const struct request_memo *memo,
                                   struct text bytes,
                                   const struct moment *now)
{
	return bytes.size == memo->size &&
	       memcmp(bytes.data, memo->bytes, bytes.size) == 0 &&
	       !moment_has_come(&memo->pass.expires, now);
}

/* If these bytes differ from the request's in nothing but what stands in the
 * token's place, returns that, whatever it is: it is one request like the first
 * only if it is found to be a token, which has nothing in it that ends a header.
 * Else {NULL, 0}. */
static inline struct text request_memo_token(const struct request_memo *memo,
                                             struct text bytes)
{
	size_t before = memo->token_at;
	size_t behind = memo->size - before - memo->token_size;

	if (before == 0 || bytes.size <= before + behind ||
	    memcmp(bytes.data, memo->bytes, before) != 0 ||
	    memcmp(bytes.data + bytes.size - behind,
	           memo->bytes + memo->size - behind, behind) != 0)
		return (struct text){NULL, 0};
	return (struct text){bytes.data + before, bytes.size - before - behind};
}

static inline void request_memo_forget(struct request_memo *memo,
                                       struct users *users)
{
	users_unref(users, memo->pass.user);
	memo->pass.user = NULL;
	memo->size = memo->token_at = memo->token_size = 0;
}

/* Keeps it unless it is longer than REQUEST_MEMO_MAX. The credential is the value
 * of its header Authorization if that alone says who asks, else empty. */
void request_memo_keep(struct request_memo *memo, struct users *users,
                       struct text bytes, const struct poll_request *request,
                       const struct pass *pass, struct text credential);

#endif
