/* Listening sockets that were handed over by whoever started us, so that they
 * outlive us: the protocol of sd_listen_fds(3), as systemd's socket units speak
 * it. LISTEN_FDS says how many there are, from descriptor 3 on, and LISTEN_PID
 * for whom. Their names (LISTEN_FDNAMES) say nothing to us. */
#ifndef LONGROOM_INHERITED_H
#define LONGROOM_INHERITED_H

#include "base/buffer.h"

enum { INHERITED_FIRST = 3 };

/* Takes them: *count descriptors from INHERITED_FIRST on, each a stream socket
 * that listens, now non-blocking and close-on-exec. 0: none is for us. To be
 * called once, before anything is opened or another thread runs: it removes the
 * variables, so that no child takes them for its own. False: *error says what is
 * wrong with them. */
bool inherited_take(size_t *count, struct buffer *error);

#endif
