/* A key for tokens: read from a file or a JWK once, into what OpenSSL's libcrypto
 * verifies with. libcrypto is known to key.c, and to signature.c, which uses keys.
 *
 * A key has one kind, decided when it is read, and the kind decides which
 * algorithms it is for. *why says for people what is wrong with one. */
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
	char *algorithm; /* the only one that it is for; NULL: all of its kind */
	struct buffer secret;     /* KEY_SECRET */
	struct evp_pkey_st *pair; /* others: its public half, or both */
};

/* Both leave no secret in memory; bytes are those that a key is read from. */
void key_release(struct key *key);
void key_release_bytes(struct buffer *bytes);

/* Whether a key may be used with an algorithm, by its name in a token. */
bool key_is_for(const struct key *key, const char *algorithm);

/* The first algorithm of its kind. */
const char *key_usual_algorithm(const struct key *key);

/* Bytes of a coordinate of its curve, and so of each of the two numbers of an ECDSA
 * signature (RFC 7518 section 3.4); 0: it is no such key. */
size_t key_coordinate_size(const struct key *key);

/* All of these make a key which the caller releases, or none. */

/* Any bytes that are no public key: everybody knows those. */
bool key_from_secret(struct text bytes, struct key *key, const char **why);

/* One public key, or certificate, whose dates and issuer are for whoever named the
 * file to judge; and no private key. */
bool key_from_public_pem(struct text pem, struct key *key, const char **why);
bool key_from_private_pem(struct text pem, struct key *key, const char **why);

/* RFC 7517. JWK_OTHER: it is none of our concern, as keys for encryption, or
 * those of a kind that isn't known here. */
enum jwk_outcome { JWK_TAKEN, JWK_OTHER, JWK_WRONG };
enum jwk_outcome key_from_jwk(struct text json, struct key *key, const char **why);

/* Adds a new key, KEY_EC_256 or KEY_ED25519, in PEM, or bytes that nobody can
 * guess. False if the system gives no random bytes. */
bool key_generate_pair(enum key_kind kind, struct buffer *private_pem,
                       struct buffer *public_pem);
bool key_generate_bytes(size_t size, struct buffer *bytes);

#endif
