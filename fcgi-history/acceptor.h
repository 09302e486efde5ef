/* The thread that accepts connections, as fast as they come, so that the kernel's
 * backlog never fills. */
#ifndef LONGROOM_ACCEPTOR_H
#define LONGROOM_ACCEPTOR_H

#include "connections.h"
#include "endpoint.h"

struct acceptor;

/* Puts what comes to the endpoint into connections, both borrowed. */
struct acceptor *acceptor_start(const struct endpoint *endpoint,
                                struct connections *connections);

/* Accepts what is in the backlog, unless the endpoint outlives us, and ends the
 * thread. */
void acceptor_stop(struct acceptor *acceptor);

#endif
