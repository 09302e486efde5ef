/* The thread that saves (group commit): what queues while one commit runs goes
 * into the next. Its queue has the only lock for which a request may
 * have to wait. */
#ifndef LONGROOM_WRITER_H
#define LONGROOM_WRITER_H

#include "saver.h"

struct writer;

/* Starts the thread. Takes the saver. */
struct writer *writer_start(struct saver *saver);

/* Saves what has queued, ends the thread and frees all. */
void writer_stop(struct writer *writer);

/* Hands it over and waits until its outcome is known. From any thread. */
void writer_save(struct writer *writer, struct save *save);

/* Whether a message could be saved now; waits its turn. From any thread. */
bool writer_probe(struct writer *writer);

#endif
