/* The command line of both daemons:
 *
 *     -c FILE   settings (default: the environment's LONGROOM_CONF, else
 *               longroom.conf in the system's configuration folder)
 *     -o section.name=value   wins over the file; repeatable
 *     -t        check the settings, the keys that they name and the store, and
 *               exit
 *     -V        print the version and exit
 *     -h        (or --help) print the usage and exit
 *
 * and a verb that only one of them has, such as --new-incarnation. */
#ifndef LONGROOM_COMMAND_LINE_H
#define LONGROOM_COMMAND_LINE_H

#include "auth/keyring.h"
#include "base/exit_status.h"
#include "config/settings.h"
#include "store/log.h"

/* Removes the verb from the arguments, wherever it stands among the options. False:
 * it is not there. From then on the usage text includes it. Borrows the verb for the
 * life of the process. */
bool command_line_take_verb(int *argc, char **argv, const char *verb);

/* True: continue with the settings, which the caller releases. False: exit with
 * *exit_status; the reason has been printed. `access` is how the program will use
 * the store. */
bool command_line_read(int argc, char **argv, const char *program,
                       enum store_access access, struct settings *settings,
                       int *exit_status);

/* Reads settings and keys again, with the same command line, while the old ones stay
 * in use. True: the caller takes *fresh and *keyring (NULL if the mode has no keys)
 * and uses them from now on. False: keep the old ones. The result has been
 * logged. */
bool command_line_read_again(int argc, char **argv, const char *program,
                             const struct settings *used,
                             struct settings *fresh,
                             struct keyring **keyring);

#endif
