/* The thread that accepts connections, as fast as they come, so that the kernel's
 * backlog never fills. */
#ifndef LONGROOM_ACCEPTOR_H
#define LONGROOM_ACCEPTOR_H

#include "connections.h"

struct acceptor;

/* Puts what comes to the listening socket into connections, both borrowed. */
struct acceptor *acceptor_start(int listener, struct connections *connections);

/* Accepts what is in the backlog and ends the thread. */
void acceptor_stop(struct acceptor *acceptor);

#endif
