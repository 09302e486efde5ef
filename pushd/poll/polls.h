/* What all polls of longroom-pushd share: the hub, the access and its settings, and
 * the memo of the last request. */
#ifndef LONGROOM_POLLS_H
#define LONGROOM_POLLS_H

#include <ev.h>

#include "base/complaint.h"
#include "hub/hub.h"
#include "poll/request_memo.h"
#include "poll/verifier.h"
#include "presence/presence.h"

struct server;

/* The last page with who is here (here.h): a crowd gets the same one, each after the
 * other. It is not a form of its delivery, of which feeds keep thousands. */
struct here_memo {
	struct delivery *delivery; /* NULL: none */
	uint64_t print;            /* of the rooms' texts */
	struct answer *pages[2];   /* the second closes the connection; NULL: not made */
};

struct polls {
	const struct settings *settings;
	struct hub *hub;
	struct access *access;
	struct verifier *verifier; /* NULL: the mode has no tokens */
	struct server *server;
	struct users users;
	struct text *headers; /* for all (no origin, or not listed), then for each
	                       * of auth.origins */
	/* See telling.h: */
	struct presence *presence; /* NULL: push.presence is off */
	struct ev_timer ticks;
	struct list questions; /* struct question, waiting for their turn */
	struct here_memo here;
	struct request_memo memo;
	struct buffer scratch; /* pages are rendered here */
	struct complaint about_verifying;
};

/* Borrows all. If the mode has tokens, starts the verifier, which calls verified()
 * with its results. */
void polls_init(struct polls *polls, const struct settings *settings,
                struct hub *hub, struct access *access, struct server *server,
                struct ev_loop *loop, verifier_done *verified);
/* Call when no connection is left. */
void polls_release(struct polls *polls);

/* Prepares for new settings. The caller then replaces the borrowed settings by them.
 * Takes their keys (access.h). */
void polls_change_settings(struct polls *polls, struct keyring *keyring);

/* Returns the additional headers of answers to pages of this origin, valid as long
 * as the polls. */
const struct text *polls_headers(const struct polls *polls, struct text origin);

/* Whether this user has the maximum number of waiting polls. NULL: unauthenticated,
 * and not counted. */
static inline bool polls_are_too_many(const struct polls *polls,
                                      const struct user *user)
{
	int64_t limit = polls->settings->limits.user_polls;

	return user != NULL && limit > 0 && (int64_t)user->polls >= limit;
}

#endif
