/* longroom-history --new-incarnation: for operators that have restored a backup
 * together with the files beside the database, which the programs cannot detect. */
#ifndef LONGROOM_INCARNATION_H
#define LONGROOM_INCARNATION_H

#include "config/settings.h"

/* Begins a new incarnation of the log. Prints one line: the incarnation, or why
 * there is none. Returns the exit status. */
int incarnation_begin(const struct settings *settings);

#endif
