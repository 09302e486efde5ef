/* Presence, as polls and streams have it: a request that waits makes its user be here,
 * and may ask to be told who is.
 *
 * A poll gets that at the end of its page. For that alone it is answered after
 * HERE_POLL_MS at the earliest. A stream gets events (stream.h). */
#ifndef LONGROOM_HERE_H
#define LONGROOM_HERE_H

#include "hub/delivery.h"
#include "poll/poll.h"

enum {
	HERE_POLL_MS = 10000,
	/* A change so long before a poll began may not have been in the page before. */
	HERE_BEFORE_MS = 2000,
};

/* Begins the visit of a request that waits, or is a stream. */
void here_begin(struct poll *poll, struct attendance *attendance,
                const struct poll_terms *terms);
void here_end_visit(struct poll *poll);
/* Does nothing if there is none. */
static inline void here_end(struct poll *poll)
{
	if (poll->visit != NULL)
		here_end_visit(poll);
}

/* Returns the page of a visiting poll, borrowed until the next call or
 * here_forget(). */
struct answer *here_page(struct poll *poll, struct delivery *delivery);
void here_forget(struct here_memo *memo);

/* When a visiting poll that would wait until due_ms has to look at its rooms. */
int64_t here_first_look(struct poll *poll, int64_t due_ms);
static inline int64_t here_first_due(struct poll *poll, int64_t due_ms)
{
	return poll->visit != NULL ? here_first_look(poll, due_ms) : due_ms;
}
/* That time has come. True: it is answered, or waits on. False: its time is up. */
bool here_go_on(struct poll *poll);

/* A room that it watches has changed. A poll that is younger finds out in time. */
void here_tell_poll(struct poll *poll);

#endif
