/* Checks that the settings are valid together. This takes other modules, which know
 * what an address, a key or a store is. */
#ifndef LONGROOM_SETTINGS_CHECK_H
#define LONGROOM_SETTINGS_CHECK_H

#include "config/settings.h"

/* False: *error says what is wrong, and on which line. Resolves host names. */
bool settings_check(const struct settings *s, struct buffer *error);

#endif
