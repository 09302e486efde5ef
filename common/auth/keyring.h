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

/* A file is a JWK Set (RFC 7517 section 5), a public key or a certificate in PEM,
 * or else a secret, without the newline at its end. If others than the file's
 * owner and group can read a secret, that is logged, and so is that some keys will
 * never be tried (KEYRING_TRIED_MAX). NULL: *error says why, and
 * names the file. */
struct keyring *keyring_read(const struct auth_settings *settings,
                             struct buffer *error);
void keyring_free(struct keyring *keyring);

/* A key that signs: a private one in PEM, or a secret, logged as above. The caller
 * releases it. */
bool keyring_read_signer(const char *path, struct key *key,
                         struct buffer *error);

#endif
