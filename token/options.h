/* The command line of longroom-token after its verb. */
#ifndef LONGROOM_TOKEN_OPTIONS_H
#define LONGROOM_TOKEN_OPTIONS_H

#include "config/settings.h"

enum verb { VERB_KEY, VERB_MAKE, VERB_INSPECT };

/* Strings are borrowed from the command line; NULL: not given. */
struct options {
	struct settings settings; /* of -c and -o, else the defaults */
	const char *key, *user, *name, *type, *kid, *algorithm;
	const char *word; /* FILE, or TOKEN */
	struct word_list read, write;
	int64_t for_ms;
	bool is_secret, is_ed25519;
};

/* True: continue with options, which the caller releases. False: exit with
 * *exit_status; the reason has been printed. The arguments begin after the verb. */
bool options_read(int argc, char **argv, enum verb verb,
                  struct options *options, int *exit_status);
void options_release(struct options *options);

#endif
