/* What all polls of longroom-pushd share: whom they are asked of, and whether they
 * may be; what is known of the last one. */
#ifndef LONGROOM_POLLS_H
#define LONGROOM_POLLS_H

#include "base/complaint.h"
#include "hub/hub.h"
#include "poll/request_memo.h"
#include "poll/verifier.h"

struct server;

struct polls {
	const struct settings *settings;
	struct hub *hub;
	struct access *access;
	struct verifier *verifier; /* NULL: the mode has no tokens */
	struct server *server;
	struct users users;
	struct text *headers; /* for all (no origin, or not listed), then for each
	                       * of auth.origins */
	struct request_memo memo;
	struct buffer scratch; /* pages are rendered here */
	struct complaint about_verifying;
};

/* Borrows all. The verifier is started if the mode has tokens; it tells verified()
 * of them. */
void polls_init(struct polls *polls, const struct settings *settings,
                struct hub *hub, struct access *access, struct server *server,
                struct ev_loop *loop, verifier_done *verified);
/* When there is no connection any more. */
void polls_release(struct polls *polls);

/* Makes ready for other settings, which the caller then puts in the place of those
 * that are borrowed. Takes their keys (access.h). */
void polls_change_settings(struct polls *polls, struct keyring *keyring);

/* What answers to a page of this origin have beside their own headers; lives as
 * long as the polls. */
const struct text *polls_headers(const struct polls *polls, struct text origin);

/* Whether this user's polls that wait are as many as may be. NULL: not known by
 * name, and not counted. */
static inline bool polls_are_too_many(const struct polls *polls,
                                      const struct user *user)
{
	int64_t limit = polls->settings->limits.user_polls;

	return user != NULL && limit > 0 && (int64_t)user->polls >= limit;
}

#endif
