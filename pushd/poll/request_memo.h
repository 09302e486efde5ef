/* A memo of the last valid request: its bytes, what it asks for, and its user.
 *
 * All clients that waited in a room get the same answer with the same cursor, and
 * come back with the same request. For all but the first it is enough to compare
 * bytes. Credentials are part of the bytes, so equal bytes mean the same user with
 * the same rights, until the credentials expire or the settings change.
 *
 * If users have tokens of their own, requests differ only in the token. Then only
 * the token has to be looked up; the rest is known to be valid. */
#ifndef LONGROOM_REQUEST_MEMO_H
#define LONGROOM_REQUEST_MEMO_H

#include "base/clock.h"
#include "base/users.h"
#include "hub/hub.h"
#include "poll/poll_request.h"
#include "presence/attendance.h"

enum { REQUEST_MEMO_MAX = 2048 };

/* The result of an admission. */
struct pass {
	struct feed *feed;          /* held: of the rooms that they may read */
	struct user *user;          /* held; NULL: not known by name */
	struct attendance *attendance; /* held, of feed and user; NULL: presence is
	                                * off, or the feed is of all rooms */
	unsigned renames;           /* the attendance's, when they had this name */
	const struct text *headers; /* for pages of their origin; of the polls */
	struct moment expires;      /* or moment_never */
};

struct request_memo {
	struct poll_terms terms;
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

/* If these bytes differ from the memo's request only where its token is, returns
 * what is there; otherwise {NULL, 0}. The caller must check that this is a known
 * token: only then are the bytes one request like the first, since a token contains
 * nothing that ends a header. */
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

/* Drops what a pass holds. */
static inline void pass_release(struct pass *pass, struct hub *hub,
                                struct users *users)
{
	users_unref(users, pass->user);
	pass->user = NULL;
	attendance_drop(pass->attendance);
	pass->attendance = NULL;
	if (pass->feed != NULL)
		hub_drop_feed(hub, pass->feed);
	pass->feed = NULL;
}

static inline void request_memo_forget(struct request_memo *memo, struct hub *hub,
                                       struct users *users)
{
	pass_release(&memo->pass, hub, users);
	memo->size = memo->token_at = memo->token_size = 0;
}

/* Keeps a request, unless it is longer than REQUEST_MEMO_MAX. `credential` is the
 * value of its Authorization header if nothing else identifies the user, otherwise
 * empty. */
void request_memo_keep(struct request_memo *memo, struct hub *hub,
                       struct users *users, struct text bytes,
                       const struct poll_terms *terms, const struct pass *pass,
                       struct text credential);

#endif
