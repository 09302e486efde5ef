/* The command line that both programs share:
 *
 *     -c FILE   settings (default: the environment's LONGROOM_CONF, else
 *               longroom.conf in the system's configuration folder)
 *     -o section.name=value   wins over the file; repeatable
 *     -t        check the settings, the keys that they name and the store, and
 *               exit
 *     -V        print the version and exit
 *     -h        (or --help) print the usage and exit
 *
 * and the verb that one of them has for itself, a word like --new-incarnation. */
#ifndef LONGROOM_COMMAND_LINE_H
#define LONGROOM_COMMAND_LINE_H

#include "auth/keyring.h"
#include "base/exit_status.h"
#include "config/settings.h"
#include "store/log.h"

/* Takes the verb out of the arguments, wherever it stands among the options. False:
 * it is not there. From then on the usage tells of it. Borrows it for the life of
 * the process. */
bool command_line_take_verb(int *argc, char **argv, const char *verb);

/* True: go on with settings, which the caller releases. False: leave with
 * *exit_status; everything has been said. The program will use the store so. */
bool command_line_read(int argc, char **argv, const char *program,
                       enum store_access access, struct settings *settings,
                       int *exit_status);

/* Reads the settings again, of the same command line, and their keys, while others
 * are used. True: *fresh and *keyring (NULL if the mode has none) are to be used
 * instead, and are the caller's. False: they are to stay. What there is to say about
 * it has been said. */
bool command_line_read_again(int argc, char **argv, const char *program,
                             const struct settings *used,
                             struct settings *fresh,
                             struct keyring **keyring);

#endif
