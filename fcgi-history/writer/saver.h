/* Saves messages and publishes them: stored first, then broadcast.
 *
 * One saver has the process's one writing connection to the store and its PUB
 * socket, and belongs to one thread. */
#ifndef LONGROOM_SAVER_H
#define LONGROOM_SAVER_H

#include "base/buffer.h"
#include "codec/message.h"
#include "config/settings.h"

struct saver;

enum save_outcome {
	SAVE_SAVED,     /* it is on disk */
	SAVE_REPEATED,  /* it came before: message->id is the first one's */
	SAVE_CONFLICT,  /* its client_id came before with another content */
	SAVE_BROADCAST, /* it was broadcast, and no log has it */
	SAVE_FAILED,    /* it could be neither saved nor broadcast */
};

struct save {
	struct message *message; /* gets its id */
	bool ephemeral;          /* not to be stored */
	bool reject_unsaved;     /* nobody gets it if it can't be saved */
	enum save_outcome outcome;
	void *context;     /* whose it is; for the caller */
	struct buffer *why; /* of a probe: gets the reason if it fails */
	struct save *next; /* in a queue */
};

/* NULL, and *error says why, if there is no such store or bus. Without a bus
 * (address empty) nothing is broadcast. Borrows the settings and the address. */
struct saver *saver_new(const struct settings *settings, const char *bus_address,
                        struct buffer *error);
void saver_free(struct saver *saver);

/* Saves them in one transaction, publishes what is saved (and what is not, as
 * each save says) and sets each outcome. */
void saver_save(struct saver *saver, struct save **saves, size_t count);

/* Opens the database. False: no later try will help, so that there is no use in
 * starting. Any other failure may be mended by a later saver_check() or saver_save().
 * The operator is told of both. */
bool saver_start(struct saver *saver);

/* Whether a message could be saved now; adds to *why if not. */
bool saver_probe(struct saver *saver, struct buffer *why);

/* Looks whether the database is still in its place, makes a new one if it was
 * removed, and catches up with what keeping it takes. For idle times. */
void saver_check(struct saver *saver);

#endif
