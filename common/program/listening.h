/* Where a daemon listens: on the sockets that were handed over (os/inherited.h), or
 * else on the addresses of its setting. With auth.mode = open, which lets anyone in,
 * only where nobody can connect but from this machine: on loopback and unix sockets.
 * That is checked of addresses when settings are read, and of each socket once more:
 * a name may stand for another address by then. */
#ifndef LONGROOM_LISTENING_H
#define LONGROOM_LISTENING_H

#include "config/settings.h"
#include "os/endpoint.h"

/* Whether an address of a setting can be listened on. If not, *error names the setting
 * and says why. */
bool listening_check(const struct settings *settings, enum setting_index index,
                     const char *address, struct buffer *error);

/* Opens an address of a setting. */
bool listening_open(const struct settings *settings, enum setting_index index,
                    const char *address, struct endpoint *endpoint,
                    struct buffer *error);

/* Takes one of the sockets that were handed over, counted from 0. It outlives us. */
bool listening_inherit(const struct settings *settings, size_t which,
                       struct endpoint *endpoint, struct buffer *error);

/* Takes a socket that listens already, from elsewhere; `from` says whence. */
bool listening_adopt(const struct settings *settings, int fd, const char *from,
                     struct endpoint *endpoint, struct buffer *error);

#endif
