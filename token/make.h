/* longroom-token make: a token that Longroom takes, or none. */
#ifndef LONGROOM_MAKE_H
#define LONGROOM_MAKE_H

#include "options.h"

/* Returns the exit status; what went wrong has been said. */
int make(const struct options *options);

#endif
