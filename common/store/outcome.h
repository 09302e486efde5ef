/* What comes of an attempt to save a batch, and of each message in it: in a
 * back-end's words, of which store.c makes what a caller is told, and whether it is
 * attempted again. */
#ifndef LONGROOM_OUTCOME_H
#define LONGROOM_OUTCOME_H

#include "store/log.h"

/* All but ATTEMPT_SAVED have left nothing that a reader can see, as far as is known,
 * and store_error() says why. */
enum attempt {
	ATTEMPT_SAVED,
	/* A message of the batch can't be saved, others may. */
	ATTEMPT_SPOILT,
	/* Somebody else has locked the log. That passes; but another attempt now would
	 * wait as long. */
	ATTEMPT_LOCKED,
	/* The connection is there no more, or not as it was, and nothing of the batch will
	 * turn up later. A new connection may do better at once: the database may have
	 * been full, read-only, or another one, when this one was opened. */
	ATTEMPT_VOID,
	/* The commit was asked for and not answered, and what it has left can't be made
	 * void: the batch may turn up. To attempt it again could save it twice. */
	ATTEMPT_UNKNOWN,
	/* No connection could be made just now. */
	ATTEMPT_UNCONNECTED,
};

static inline void outcome_saved(struct append *append, int64_t id)
{
	append->message->id = id;
	append->outcome = APPEND_SAVED;
}

/* The sender's client_id came before, in this room, be it in this batch: with the
 * message that has this id, and the same content or another. */
static inline void outcome_repeated(struct append *append, int64_t id, bool is_same)
{
	append->message->id = id;
	append->outcome = is_same ? APPEND_REPEATED : APPEND_CONFLICT;
}

/* Copies why. */
void outcome_refused(struct append *append, const char *why);

/* The highest id of those that were saved; 0: all were repeated or refused. */
int64_t outcome_highest(const struct append *appends, size_t count);

#endif
