/* A key for tokens, read from a file or a JWK into the form that OpenSSL's libcrypto
 * uses. Only key.c and signature.c know libcrypto.
 *
 * A key has one kind, fixed when it is read. The kind determines the algorithms that
 * the key may be used with. On failure *why says what is wrong, for people. */
#ifndef LONGROOM_KEY_H
#define LONGROOM_KEY_H

#include "base/buffer.h"

struct evp_pkey_st; /* EVP_PKEY */

enum key_kind {
	KEY_SECRET,
	KEY_RSA,
	KEY_EC_256, /* by the size of the curve */
	KEY_EC_384,
	KEY_EC_521,
	KEY_ED25519,
};

/* Immutable once it is read: threads may share it. */
struct key {
	enum key_kind kind;
	char *kid;       /* NULL: it has none */
	char *algorithm; /* the only one allowed; NULL: all of its kind */
	struct buffer secret;     /* KEY_SECRET */
	struct evp_pkey_st *pair; /* other kinds: the public half, or both halves */
};

/* Both overwrite secrets before they free them. `bytes` is what a key was read
 * from. */
void key_release(struct key *key);
void key_release_bytes(struct buffer *bytes);

/* Whether a key may be used with an algorithm, given by its name in tokens. */
bool key_is_for(const struct key *key, const char *algorithm);

/* The first algorithm of its kind. */
const char *key_usual_algorithm(const struct key *key);

/* The size in bytes of a coordinate on the key's curve, which is also the size of
 * each of the two numbers of an ECDSA signature (RFC 7518 section 3.4); 0: not an EC
 * key. */
size_t key_coordinate_size(const struct key *key);

/* Each of these returns true and makes a key, which the caller releases, or returns
 * false and makes none. */

/* Any bytes that do not look like a public key, which is no secret. */
bool key_from_secret(struct text bytes, struct key *key, const char **why);

/* The PEM has exactly one public key or certificate, and no private key. Dates and
 * issuer of a certificate are not checked: that is up to the operator. */
bool key_from_public_pem(struct text pem, struct key *key, const char **why);
bool key_from_private_pem(struct text pem, struct key *key, const char **why);

/* RFC 7517. JWK_OTHER: a key to be ignored, such as one for encryption or of an
 * unknown kind. */
enum jwk_outcome { JWK_TAKEN, JWK_OTHER, JWK_WRONG };
enum jwk_outcome key_from_jwk(struct text json, struct key *key, const char **why);

/* Add a new key in PEM (KEY_EC_256 or KEY_ED25519), or random bytes. False: the
 * system has no random bytes. */
bool key_generate_pair(enum key_kind kind, struct buffer *private_pem,
                       struct buffer *public_pem);
bool key_generate_bytes(size_t size, struct buffer *bytes);

#endif
