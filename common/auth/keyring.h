/* The keys that verify tokens, from the files that auth.keys names. */
#ifndef LONGROOM_KEYRING_H
#define LONGROOM_KEYRING_H

#include "auth/key.h"
#include "config/settings.h"

enum {
	KEYRING_MAX = 64,      /* keys */
	KEYRING_TRIED_MAX = 4, /* that a token is verified with */
};

/* Immutable. */
struct keyring {
	struct key *keys;
	size_t count;
	bool has_names; /* at least one has a kid */
};

/* Reads the files. Each is a JWK Set (RFC 7517 section 5), a public key or a
 * certificate in PEM, or otherwise a secret; the newline at a secret's end is
 * ignored.
 *
 * Logs a warning for a secret that users other than its owner and group can read,
 * and for keys that will never be tried (KEYRING_TRIED_MAX).
 *
 * Returns, caller frees with keyring_free(). NULL: *error names the file and says
 * why. */
struct keyring *keyring_read(const struct auth_settings *settings,
                             struct buffer *error);
void keyring_free(struct keyring *keyring);

/* Reads a signing key: a private key in PEM, or a secret, with the warning above.
 * The caller releases it. */
bool keyring_read_signer(const char *path, struct key *key,
                         struct buffer *error);

#endif
