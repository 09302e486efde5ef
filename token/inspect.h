/* longroom-token inspect: what a token says, and whether Longroom would take it. */
#ifndef LONGROOM_INSPECT_H
#define LONGROOM_INSPECT_H

#include "options.h"

/* Returns the exit status; what went wrong has been said. */
int inspect(const struct options *options);

#endif
