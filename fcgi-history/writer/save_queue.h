/* Saves on their way from thread to thread, in order. What several threads put
 * in while the one that takes is busy, it takes together. */
#ifndef LONGROOM_SAVE_QUEUE_H
#define LONGROOM_SAVE_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "writer/saver.h"

struct save_queue;

struct save_queue *save_queue_new(void);
/* Takes an empty queue. */
void save_queue_free(struct save_queue *queue);

/* Puts a chain of saves at the end: first, the next of it, and so on to last. */
void save_queue_put(struct save_queue *queue, struct save *first,
                    struct save *last);

/* Takes all that there are, at most `most`, as a chain that ends with NULL;
 * waits for the first. NULL: wait_ms (-1: for ever) have passed, or, and then
 * *ended is true, the queue was ended and is empty. */
struct save *save_queue_take(struct save_queue *queue, size_t most,
                             int64_t wait_ms, bool *ended);

/* No more will be put in; what is there can still be taken. */
void save_queue_end(struct save_queue *queue);

#endif
