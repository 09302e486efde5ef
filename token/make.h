/* longroom-token make: makes a token that Longroom accepts, or none. */
#ifndef LONGROOM_MAKE_H
#define LONGROOM_MAKE_H

#include "options.h"

/* Returns the exit status. Errors have been printed. */
int make(const struct options *options);

#endif
