/* Listening sockets inherited from the parent process, so that they outlive us, as
 * with systemd's socket units (sd_listen_fds(3)). LISTEN_FDS is their number, from
 * descriptor 3 on, and LISTEN_PID the process that they are for. LISTEN_FDNAMES is
 * ignored. */
#ifndef LONGROOM_INHERITED_H
#define LONGROOM_INHERITED_H

#include "base/buffer.h"

enum { INHERITED_FIRST = 3 };

/* Takes *count descriptors from INHERITED_FIRST on, each a listening stream socket,
 * and makes them non-blocking and close-on-exec. *count is 0 if none are for this
 * process.
 *
 * Call once, before anything is opened or another thread runs. Removes the
 * variables, so that no child process takes the sockets for its own. False: *error
 * says what is wrong. */
bool inherited_take(size_t *count, struct buffer *error);

#endif
