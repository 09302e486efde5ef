/* Accepted connections on their way to the workers. One thread puts them in,
 * many take them out. */
#ifndef LONGROOM_CONNECTIONS_H
#define LONGROOM_CONNECTIONS_H

#include <stdbool.h>
#include <stddef.h>

struct connections;

/* Holds at most limit connections. */
struct connections *connections_new(size_t limit);
void connections_free(struct connections *c);

/* Waits while it is full. */
void connections_put(struct connections *c, int connection);

/* Waits for one; -1 after connections_end() and when all are taken. */
int connections_take(struct connections *c);

/* No more will be put in. */
void connections_end(struct connections *c);

#endif
