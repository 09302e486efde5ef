/* The thread that saves (group commit): what queues while one commit runs goes
 * into the next. It hands over what has its outcome, and no request waits for it
 * with a thread of its own. */
#ifndef LONGROOM_WRITER_H
#define LONGROOM_WRITER_H

#include "writer/save_queue.h"

struct writer;

/* Starts the thread. Borrows both; saves that have their outcome go to `saved`. */
struct writer *writer_start(struct saver *saver, struct save_queue *saved);

/* Saves what has queued, and ends the thread. */
void writer_stop(struct writer *writer);

/* Takes the save until it comes out of the queue `saved`. One without a message
 * is a probe: its outcome is SAVE_SAVED if a message could be saved now. From any
 * thread. */
void writer_put(struct writer *writer, struct save *save);

#endif
