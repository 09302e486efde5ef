/* longroom-token inspect: prints a token, and whether Longroom would accept it. */
#ifndef LONGROOM_INSPECT_H
#define LONGROOM_INSPECT_H

#include "options.h"

/* Returns the exit status. Errors have been printed. */
int inspect(const struct options *options);

#endif
