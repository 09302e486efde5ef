/* longroom-history --new-incarnation: for an operator who has put a backup in place
 * with all that is beside it, so that the programs can't notice by themselves. */
#ifndef LONGROOM_INCARNATION_H
#define LONGROOM_INCARNATION_H

#include "config/settings.h"

/* Begins an incarnation of the log, and says so in one line, or why not. Returns
 * the exit status. */
int incarnation_begin(const struct settings *settings);

#endif
