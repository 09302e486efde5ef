/* The outcome of a back-end's attempt to save a batch, and of each message in it.
 * From it store.c decides what the caller gets, and whether to try again. */
#ifndef LONGROOM_OUTCOME_H
#define LONGROOM_OUTCOME_H

#include "store/log.h"

/* After any other outcome than ATTEMPT_SAVED, readers see nothing of the batch, as
 * far as is known, and store_error() says why. */
enum attempt {
	ATTEMPT_SAVED,
	/* A message of the batch can't be saved; the others may be. */
	ATTEMPT_SPOILT,
	/* Another process has locked the log. That passes, but another attempt now
	 * would wait just as long. */
	ATTEMPT_LOCKED,
	/* The connection is lost or has changed, and nothing of the batch will turn
	 * up later. A new connection may work at once: the database may have been
	 * full, read-only, or another one, when this connection was opened. */
	ATTEMPT_VOID,
	/* There was no answer to the commit, and it can't be undone: the batch may
	 * turn up later. Another attempt could save it twice. */
	ATTEMPT_UNKNOWN,
	/* No connection could be made just now. */
	ATTEMPT_UNCONNECTED,
};

static inline void outcome_saved(struct append *append, int64_t id)
{
	append->message->id = id;
	append->outcome = APPEND_SAVED;
}

/* The sender has used this client_id in this room before, maybe in this batch: in
 * the message with this id, with the same content or another. */
static inline void outcome_repeated(struct append *append, int64_t id, bool is_same)
{
	append->message->id = id;
	append->outcome = is_same ? APPEND_REPEATED : APPEND_CONFLICT;
}

/* Copies why. */
void outcome_refused(struct append *append, const char *why);

/* Returns the highest id of the saved messages; 0: all were repeated or refused. */
int64_t outcome_highest(const struct append *appends, size_t count);

#endif
