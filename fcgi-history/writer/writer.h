/* The thread that saves (group commit): messages that queue during one commit go
 * into the next. It passes on each save once it has its outcome, so no thread waits
 * for a commit. */
#ifndef LONGROOM_WRITER_H
#define LONGROOM_WRITER_H

#include "writer/save_queue.h"

struct writer;

/* Starts the thread. Borrows both. Saves with an outcome go to the queue `saved`. */
struct writer *writer_start(struct saver *saver, struct save_queue *saved);

/* Saves what is queued, and ends the thread. */
void writer_stop(struct writer *writer);

/* Queues a save, which belongs to the writer until it comes out of the queue
 * `saved`. A save without a message is a probe: its outcome is SAVE_SAVED if a
 * message could be saved now. From any thread. */
void writer_put(struct writer *writer, struct save *save);

#endif
