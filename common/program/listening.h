/* Opens a daemon's listening sockets: the inherited ones (os/inherited.h), or
 * otherwise those at the addresses of its setting.
 *
 * auth.mode = open lets anyone in, so it allows only sockets that no other machine
 * can reach: unix sockets and loopback. Addresses are checked when settings are
 * read, and each socket again when it is opened, since a host name may have changed
 * its address by then. */
#ifndef LONGROOM_LISTENING_H
#define LONGROOM_LISTENING_H

#include "config/settings.h"
#include "os/endpoint.h"

/* Whether an address of a setting is valid and allowed. If not, *error names the
 * setting and says why. */
bool listening_check(const struct settings *settings, enum setting_index index,
                     const char *address, struct buffer *error);

/* Opens an address of a setting. */
bool listening_open(const struct settings *settings, enum setting_index index,
                    const char *address, struct endpoint *endpoint,
                    struct buffer *error);

/* Takes one of the inherited sockets, counted from 0. It outlives the process. */
bool listening_inherit(const struct settings *settings, size_t which,
                       struct endpoint *endpoint, struct buffer *error);

/* Takes a socket that already listens; `from` names its source in errors. */
bool listening_adopt(const struct settings *settings, int fd, const char *from,
                     struct endpoint *endpoint, struct buffer *error);

#endif
