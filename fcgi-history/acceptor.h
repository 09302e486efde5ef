/* Accepts connections until a signal says to stop. */
#ifndef LONGROOM_ACCEPTOR_H
#define LONGROOM_ACCEPTOR_H

#include "connections.h"

/* Once, before the first thread is started: from here on SIGTERM and SIGINT are
 * kept for acceptor_run(), SIGHUP and SIGPIPE are ignored. */
void acceptor_catch_signals(void);

/* Puts what comes to the listening socket into connections; returns after
 * SIGTERM or SIGINT, with the backlog emptied. Another of these signals then ends
 * the process. */
void acceptor_run(int listener, struct connections *connections);

#endif
