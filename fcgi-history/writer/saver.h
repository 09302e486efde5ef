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
	SAVE_REPEATED,  /* sent before: message->id is that of the first */
	SAVE_CONFLICT,  /* its client_id was used for another message */
	SAVE_BROADCAST, /* it was broadcast, and no log has it */
	SAVE_FAILED,    /* it could be neither saved nor broadcast */
};

struct save {
	struct message *message; /* gets its id */
	bool ephemeral;          /* not to be stored: a signal, or such a room */
	bool reject_unsaved;     /* not to be broadcast if it can't be saved */
	enum save_outcome outcome;
	struct buffer *why; /* of a probe: gets the reason if it fails */
	struct save *next; /* in a queue */
};

/* Borrows the settings and the address. With an empty address there is no bus, and
 * nothing is broadcast. NULL: *error says what is wrong with the store or the
 * bus. */
struct saver *saver_new(const struct settings *settings, const char *bus_address,
                        struct buffer *error);
void saver_free(struct saver *saver);

/* Saves all in one transaction, publishes the saved messages and those unsaved ones
 * that may be broadcast, and sets each outcome. */
void saver_save(struct saver *saver, struct save **saves, size_t count);

/* Opens the database. False: retrying cannot help, so the program should not start.
 * After any other failure saver_check() and saver_save() try again. Failures of both
 * kinds are logged. */
bool saver_start(struct saver *saver);

/* Whether a message could be saved now. If not, adds the reason to *why. */
bool saver_probe(struct saver *saver, struct buffer *why);

/* Checks that the database is still in its place, creates a new one if it was
 * removed, and does maintenance. Call it when idle. */
void saver_check(struct saver *saver);

#endif
