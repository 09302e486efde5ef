#include "auth/key.h"

#include <json.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "base/memory.h"
#include "codec/base64url.h"

enum {
	SECRET_LEAST = 32, /* bytes: RFC 7518 section 3.2, for HS256 */
	RSA_LEAST = 2048,  /* bits: RFC 7518 section 3.3 */
	RSA_MOST = 8192,   /* ... beyond which it only costs time */
	ED25519_SIZE = 32, /* bytes: RFC 8032 section 5.1.5 */
};

struct curve {
	enum key_kind kind;
	const char *jwk_name, *openssl_name;
	size_t coordinate_size; /* bytes */
};

static const struct curve curves[] = {
	{KEY_EC_256, "P-256", "prime256v1", 32},
	{KEY_EC_384, "P-384", "secp384r1", 48},
	{KEY_EC_521, "P-521", "secp521r1", 66},
};

enum { CURVES = sizeof curves / sizeof curves[0], ALGORITHMS = 3 };

static const char *const algorithms[][ALGORITHMS] = {
	[KEY_SECRET] = {"HS256", "HS384", "HS512"},
	[KEY_RSA] = {"RS256", "RS384", "RS512"},
	[KEY_EC_256] = {"ES256"},
	[KEY_EC_384] = {"ES384"},
	[KEY_EC_521] = {"ES512"},
	[KEY_ED25519] = {"EdDSA"},
};

void key_release_bytes(struct buffer *bytes)
{
	if (bytes->data != NULL)
		OPENSSL_cleanse(bytes->data, bytes->room);
	buffer_release(bytes);
}

void key_release(struct key *key)
{
	free(key->kid);
	free(key->algorithm);
	key_release_bytes(&key->secret);
	EVP_PKEY_free(key->pair);
	*key = (struct key){0};
}

bool key_is_for(const struct key *key, const char *algorithm)
{
	if (key->algorithm != NULL && strcmp(key->algorithm, algorithm) != 0)
		return false;
	for (int i = 0; i < ALGORITHMS; i++)
		if (algorithms[key->kind][i] != NULL &&
		    strcmp(algorithms[key->kind][i], algorithm) == 0)
			return true;
	return false;
}

const char *key_usual_algorithm(const struct key *key)
{
	return algorithms[key->kind][0];
}

/* ---- Secrets ---- */

static bool has_bytes(struct text text, const char *bytes)
{
	size_t size = strlen(bytes);

	for (size_t i = 0; i + size <= text.size; i++)
		if (memcmp(text.data + i, bytes, size) == 0)
			return true;
	return false;
}

static bool is_public_der(struct text bytes)
{
	const unsigned char *at = (const unsigned char *)bytes.data;
	const unsigned char *again = at;
	EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)bytes.size);
	X509 *certificate = d2i_X509(NULL, &again, (long)bytes.size);
	bool is_one = key != NULL || certificate != NULL;

	EVP_PKEY_free(key);
	X509_free(certificate);
	return is_one;
}

/* PEM without its lines of dashes, as some show a public key to be copied; with
 * or without line breaks and padding, in either alphabet. */
static bool is_public_base64(struct text bytes)
{
	static const char passed_over[] = {' ', '\t', '\r', '\n', '='};
	struct buffer text = {0}, der = {0};

	/* At once: growing would leave parts of a secret behind. */
	buffer_reserve(&text, bytes.size);
	for (size_t i = 0; i < bytes.size; i++) {
		char c = bytes.data[i];

		if (c == '+' || c == '/')
			c = c == '+' ? '-' : '_';
		if (memchr(passed_over, c, sizeof passed_over) == NULL)
			buffer_add(&text, &c, 1);
	}
	bool is_one = base64url_decode(buffer_text(&text), &der) &&
	              is_public_der(buffer_text(&der));

	key_release_bytes(&text);
	key_release_bytes(&der);
	return is_one;
}

/* Whoever knows a public key could sign with it if it were taken for a secret:
 * so nothing is that looks as if it were meant as one. */
static bool is_public(struct text bytes)
{
	return has_bytes(bytes, "-----BEGIN") || has_bytes(bytes, "\"kty\"") ||
	       has_bytes(bytes, "ssh-rsa ") || has_bytes(bytes, "ssh-ed25519 ") ||
	       has_bytes(bytes, "ecdsa-sha2-") || is_public_der(bytes) ||
	       is_public_base64(bytes);
}

bool key_from_secret(struct text bytes, struct key *key, const char **why)
{
	*key = (struct key){.kind = KEY_SECRET};
	*why = "a secret has at least 32 bytes";
	if (bytes.size < SECRET_LEAST)
		return false;
	*why = "it is a key, but neither PEM nor JWK";
	if (is_public(bytes))
		return false;
	buffer_add_text(&key->secret, bytes);
	return true;
}

/* ---- Public and private keys ---- */

static bool find_kind(EVP_PKEY *pkey, enum key_kind *kind, const char **why)
{
	char group[80] = "";

	if (EVP_PKEY_get_base_id(pkey) == EVP_PKEY_RSA) {
		int bits = EVP_PKEY_get_bits(pkey);

		*kind = KEY_RSA;
		*why = "an RSA key has 2048 to 8192 bits";
		return bits >= RSA_LEAST && bits <= RSA_MOST;
	}
	*kind = KEY_ED25519;
	if (EVP_PKEY_get_base_id(pkey) == EVP_PKEY_ED25519)
		return true;
	*why = "the key is neither RSA nor EC of P-256, P-384 or P-521 nor "
	       "Ed25519";
	if (EVP_PKEY_get_base_id(pkey) != EVP_PKEY_EC ||
	    !EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL))
		return false;
	for (int i = 0; i < CURVES; i++) {
		*kind = curves[i].kind;
		if (strcmp(group, curves[i].openssl_name) == 0)
			return true;
	}
	return false;
}

/* Ed25519's points of order 1, 2, 4 and 8 (RFC 8032 section 5.1), by their y in
 * bytes, lowest first. What follows from such a key doesn't depend on what was
 * signed. OpenSSL 3.0 looks for none of them. */
static bool has_large_order(EVP_PKEY *pkey)
{
	static const unsigned char small[][ED25519_SIZE] = {
		{0},
		{1},
		{0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0,
		 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39,
		 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
		{0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f,
		 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6,
		 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
	};
	unsigned char y[ED25519_SIZE];
	size_t size = sizeof y;

	if (EVP_PKEY_get_raw_public_key(pkey, y, &size) != 1)
		return false;
	y[ED25519_SIZE - 1] &= 0x7f; /* the sign of x */
	for (size_t i = 0; i < sizeof small / sizeof small[0]; i++)
		if (memcmp(y, small[i], sizeof y) == 0)
			return false;
	/* From 2^255 - 20 on, which is y = -1 and then no y at all. */
	for (size_t i = 1; i < sizeof y; i++)
		if (y[i] != (i < sizeof y - 1 ? 0xff : 0x7f))
			return true;
	return y[0] < 0xec;
}

/* A modulus that can be no product of two primes, or an exponent of 1, verifies
 * what anybody writes. */
static bool is_sound(EVP_PKEY *pkey, enum key_kind kind, const char **why)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	bool good = context != NULL && EVP_PKEY_public_check(context) == 1 &&
	            (kind != KEY_ED25519 || has_large_order(pkey));

	EVP_PKEY_CTX_free(context);
	*why = "the key's numbers are not those of such a key";
	return good;
}

/* Takes the pkey, which may be NULL. */
static bool take_pkey(EVP_PKEY *pkey, struct key *key, const char **why)
{
	*key = (struct key){.pair = pkey};
	bool good = pkey != NULL && find_kind(pkey, &key->kind, why) &&
	            is_sound(pkey, key->kind, why);

	if (!good)
		key_release(key);
	return good;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): OpenSSL wants it so */
static int no_password(char *password, int size, int is_for_writing, void *user)
{
	(void)password;
	(void)size;
	(void)is_for_writing;
	(void)user;
	return -1;
}

/* Of the next public key, or else of the next certificate; NULL: there is none. */
static EVP_PKEY *next_public(BIO *keys, BIO *certificates)
{
	EVP_PKEY *pkey = PEM_read_bio_PUBKEY(keys, NULL, no_password, NULL);

	if (pkey != NULL)
		return pkey;
	X509 *certificate =
		PEM_read_bio_X509(certificates, NULL, no_password, NULL);
	if (certificate != NULL)
		pkey = X509_get_pubkey(certificate);
	X509_free(certificate);
	return pkey;
}

bool key_from_public_pem(struct text pem, struct key *key, const char **why)
{
	*why = "it has a private key: give only the public one";
	if (has_bytes(pem, "PRIVATE KEY-----"))
		return false;
	BIO *keys = BIO_new_mem_buf(pem.data, (int)pem.size);
	BIO *certificates = BIO_new_mem_buf(pem.data, (int)pem.size);
	EVP_PKEY *pkey = next_public(keys, certificates);
	EVP_PKEY *next = next_public(keys, certificates);

	BIO_free(keys);
	BIO_free(certificates);
	if (next != NULL) {
		EVP_PKEY_free(pkey);
		EVP_PKEY_free(next);
		*why = "it has two keys: give each a file";
		return false;
	}
	*why = "there is no public key in its PEM";
	return take_pkey(pkey, key, why);
}

bool key_from_private_pem(struct text pem, struct key *key, const char **why)
{
	BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
	EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);

	BIO_free(bio);
	*why = "there is no private key in its PEM, or it has a password";
	return take_pkey(pkey, key, why);
}

/* ---- JWK ---- */

/* Whether it is absent, or a string. */
static bool may_be_string(json_object *jwk, const char *name)
{
	json_object *member = NULL;

	return !json_object_object_get_ex(jwk, name, &member) ||
	       json_object_is_type(member, json_type_string);
}

/* NULL if it is absent, or no string. Borrowed. */
static const char *find_string(json_object *jwk, const char *name)
{
	json_object *member = json_object_object_get(jwk, name);

	return json_object_is_type(member, json_type_string)
	               ? json_object_get_string(member)
	               : NULL;
}

static bool read_bytes(json_object *jwk, const char *name, struct buffer *bytes)
{
	const char *string = find_string(jwk, name);

	return string != NULL && string[0] != '\0' &&
	       base64url_decode(text_of(string), bytes);
}

/* Takes the builder. NULL: there is no such key. */
static EVP_PKEY *build(const char *type, OSSL_PARAM_BLD *builder)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
	EVP_PKEY *pkey = NULL;

	if (context == NULL || params == NULL ||
	    EVP_PKEY_fromdata_init(context) != 1 ||
	    EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
		pkey = NULL;
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(builder);
	EVP_PKEY_CTX_free(context);
	return pkey;
}

static BIGNUM *to_number(const struct buffer *bytes)
{
	return BN_bin2bn((const unsigned char *)bytes->data, (int)bytes->size,
	                 NULL);
}

static EVP_PKEY *read_rsa(json_object *jwk)
{
	struct buffer n = {0}, e = {0};
	EVP_PKEY *pkey = NULL;

	if (read_bytes(jwk, "n", &n) && read_bytes(jwk, "e", &e)) {
		OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
		BIGNUM *modulus = to_number(&n), *exponent = to_number(&e);

		OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus);
		OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent);
		pkey = build("RSA", builder);
		BN_free(modulus);
		BN_free(exponent);
	}
	buffer_release(&n);
	buffer_release(&e);
	return pkey;
}

/* NULL: it is on no curve that is known here. */
static const struct curve *find_curve(json_object *jwk)
{
	const char *name = find_string(jwk, "crv");

	for (int i = 0; name != NULL && i < CURVES; i++)
		if (strcmp(name, curves[i].jwk_name) == 0)
			return &curves[i];
	return NULL;
}

/* OpenSSL sees to it that the point is on the curve. */
static EVP_PKEY *read_ec(json_object *jwk, const struct curve *curve)
{
	struct buffer point = {0};
	EVP_PKEY *pkey = NULL;

	/* Not compressed: SEC 1 section 2.3.3. */
	buffer_add(&point, "\x04", 1);
	if (read_bytes(jwk, "x", &point) &&
	    point.size == 1 + curve->coordinate_size &&
	    read_bytes(jwk, "y", &point) &&
	    point.size == 1 + 2 * curve->coordinate_size) {
		OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();

		OSSL_PARAM_BLD_push_utf8_string(builder,
		                                OSSL_PKEY_PARAM_GROUP_NAME,
		                                curve->openssl_name, 0);
		OSSL_PARAM_BLD_push_octet_string(builder,
		                                 OSSL_PKEY_PARAM_PUB_KEY,
		                                 point.data, point.size);
		pkey = build("EC", builder);
	}
	buffer_release(&point);
	return pkey;
}

/* RFC 8037 section 2. */
static bool is_ed25519(json_object *jwk)
{
	const char *name = find_string(jwk, "crv");

	return name != NULL && strcmp(name, "Ed25519") == 0;
}

static EVP_PKEY *read_ed25519(json_object *jwk)
{
	struct buffer x = {0};
	EVP_PKEY *pkey = NULL;

	if (read_bytes(jwk, "x", &x) && x.size == ED25519_SIZE)
		pkey = EVP_PKEY_new_raw_public_key(
			EVP_PKEY_ED25519, NULL, (const unsigned char *)x.data,
			x.size);
	buffer_release(&x);
	return pkey;
}

static bool read_secret(json_object *jwk, struct key *key, const char **why)
{
	struct buffer bytes = {0};
	bool good = read_bytes(jwk, "k", &bytes) &&
	            key_from_secret(buffer_text(&bytes), key, why);

	key_release_bytes(&bytes);
	return good;
}

/* RFC 7517 sections 4.2 and 4.3. */
static bool is_for_signatures(json_object *jwk)
{
	json_object *operations = json_object_object_get(jwk, "key_ops");
	const char *use = find_string(jwk, "use");

	if (use != NULL && strcmp(use, "sig") != 0)
		return false;
	if (!json_object_is_type(operations, json_type_array))
		return operations == NULL;
	for (size_t i = 0; i < json_object_array_length(operations); i++) {
		json_object *item = json_object_array_get_idx(operations, i);

		if (json_object_is_type(item, json_type_string) &&
		    strcmp(json_object_get_string(item), "verify") == 0)
			return true;
	}
	return false;
}

/* Whether it is of a type, and on a curve, that is known here. */
static bool is_known(json_object *jwk, const char *type)
{
	return strcmp(type, "RSA") == 0 || strcmp(type, "oct") == 0 ||
	       (strcmp(type, "EC") == 0 && find_curve(jwk) != NULL) ||
	       (strcmp(type, "OKP") == 0 && is_ed25519(jwk));
}

static EVP_PKEY *read_public(json_object *jwk, const char *type)
{
	if (strcmp(type, "RSA") == 0)
		return read_rsa(jwk);
	if (strcmp(type, "OKP") == 0)
		return read_ed25519(jwk);
	return read_ec(jwk, find_curve(jwk));
}

static bool read_jwk(json_object *jwk, const char *type, struct key *key,
                     const char **why)
{
	*why = "a member of the JWK is not as RFC 7518 or RFC 8037 has it";
	if (strcmp(type, "oct") == 0)
		return read_secret(jwk, key, why);
	if (json_object_object_get(jwk, "d") != NULL) {
		*why = "it has a private key: give only the public one";
		return false;
	}
	return take_pkey(read_public(jwk, type), key, why);
}

static char *copy_string(const char *string)
{
	return string != NULL ? memory_copy(string, strlen(string)) : NULL;
}

enum jwk_outcome key_from_jwk(json_object *jwk, struct key *key,
                              const char **why)
{
	const char *type = find_string(jwk, "kty");
	const char *algorithm = find_string(jwk, "alg");

	*key = (struct key){0};
	*why = "a JWK has a kty, and its kid, use and alg are strings";
	if (type == NULL || !may_be_string(jwk, "kid") ||
	    !may_be_string(jwk, "use") || !may_be_string(jwk, "alg"))
		return JWK_WRONG;
	if (!is_known(jwk, type) || !is_for_signatures(jwk))
		return JWK_OTHER;
	if (!read_jwk(jwk, type, key, why))
		return JWK_WRONG;
	if (algorithm != NULL && !key_is_for(key, algorithm)) {
		key_release(key);
		return JWK_OTHER;
	}
	key->algorithm = copy_string(algorithm);
	key->kid = copy_string(find_string(jwk, "kid"));
	return JWK_TAKEN;
}

/* ---- New ones ---- */

static void move_bio(BIO *bio, struct buffer *bytes)
{
	char *data;
	long size = BIO_get_mem_data(bio, &data);

	buffer_add(bytes, data, (size_t)size);
	OPENSSL_cleanse(data, (size_t)size);
	BIO_free(bio);
}

static bool add_public_pem(EVP_PKEY *pkey, struct buffer *pem)
{
	BIO *bio = BIO_new(BIO_s_mem());
	bool good = PEM_write_bio_PUBKEY(bio, pkey) == 1;

	move_bio(bio, pem);
	return good;
}

static bool add_private_pem(EVP_PKEY *pkey, struct buffer *pem)
{
	BIO *bio = BIO_new(BIO_s_mem());
	bool good = PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0,
	                                          NULL, NULL) == 1;

	move_bio(bio, pem);
	return good;
}

bool key_generate_pair(enum key_kind kind, struct buffer *private_pem,
                       struct buffer *public_pem)
{
	EVP_PKEY *pkey = kind == KEY_ED25519
	                         ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
	                         : EVP_EC_gen(curves[0].openssl_name);
	bool good = pkey != NULL && add_private_pem(pkey, private_pem) &&
	            add_public_pem(pkey, public_pem);

	EVP_PKEY_free(pkey);
	return good;
}

bool key_generate_bytes(size_t size, struct buffer *bytes)
{
	bool good = RAND_bytes((unsigned char *)buffer_reserve(bytes, size),
	                       (int)size) == 1;

	if (good)
		bytes->size += size;
	return good;
}
