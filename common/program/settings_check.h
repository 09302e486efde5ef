/* Whether settings can stand together, which takes modules that know more than
 * one: what an address or a store is. */
#ifndef LONGROOM_SETTINGS_CHECK_H
#define LONGROOM_SETTINGS_CHECK_H

#include "config/settings.h"

/* False: *error says what is wrong, and in which line. Looks up the names of
 * hosts. */
bool settings_check(const struct settings *s, struct buffer *error);

#endif
