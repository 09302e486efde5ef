/* longroom-token key: a new key, in files of its own. */
#ifndef LONGROOM_NEW_KEY_H
#define LONGROOM_NEW_KEY_H

#include "options.h"

/* Returns the exit status. Errors have been printed. */
int new_key(const struct options *options);

#endif
