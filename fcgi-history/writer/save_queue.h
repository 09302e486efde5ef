/* A queue of saves between threads, in order. The consumer takes everything that was
 * added while it was busy at once. */
#ifndef LONGROOM_SAVE_QUEUE_H
#define LONGROOM_SAVE_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "writer/saver.h"

struct save_queue;

struct save_queue *save_queue_new(void);
/* Takes an empty queue. */
void save_queue_free(struct save_queue *queue);

/* Adds a chain of saves, linked by `next` from first to last. */
void save_queue_put(struct save_queue *queue, struct save *first,
                    struct save *last);

/* Waits for a save, then takes all, but at most `most`, as a chain that ends with
 * NULL. Returns NULL after wait_ms (-1: wait for ever), or if the queue was ended
 * and is empty; then *ended is true. */
struct save *save_queue_take(struct save_queue *queue, size_t most,
                             int64_t wait_ms, bool *ended);

/* No more will be added. The rest can still be taken. */
void save_queue_end(struct save_queue *queue);

#endif
