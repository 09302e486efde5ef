#include "auth/key.h"

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
#include "codec/json_value.h"

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
		OPENSSL_cleanse(bytes->data, bytes->capacity);
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

size_t key_coordinate_size(const struct key *key)
{
	for (int i = 0; i < CURVES; i++)
		if (curves[i].kind == key->kind)
			return curves[i].coordinate_size;
	return 0;
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

/* A public key must never be taken for a secret: anyone who knows it could sign
 * tokens. So bytes that look like a key in any format are not accepted as one. */
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
	*why = "this looks like a key, but is neither PEM nor JWK";
	if (is_public(bytes))
		return false;
	buffer_add_text(&key->secret, bytes);
	return true;
}

/* ---- Public and private keys ---- */

static bool find_key_kind(EVP_PKEY *pkey, enum key_kind *kind, const char **why)
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
 * bytes, lowest first. With such a key, verification does not depend on the signed
 * text. OpenSSL 3.0 does not check for them. */
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

/* With a modulus that is not a product of two primes, or with an exponent of 1,
 * anyone can forge signatures. */
static bool is_sound(EVP_PKEY *pkey, enum key_kind kind, const char **why)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	bool good = context != NULL && EVP_PKEY_public_check(context) == 1 &&
	            (kind != KEY_ED25519 || has_large_order(pkey));

	EVP_PKEY_CTX_free(context);
	*why = "the key's parameters are invalid";
	return good;
}

/* Takes the pkey, which may be NULL. */
static bool take_pkey(EVP_PKEY *pkey, struct key *key, const char **why)
{
	*key = (struct key){.pair = pkey};
	bool good = pkey != NULL && find_key_kind(pkey, &key->kind, why) &&
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

enum jwk_member {
	JWK_KTY,
	JWK_USE,
	JWK_KEY_OPS,
	JWK_ALG,
	JWK_KID,
	JWK_CRV,
	JWK_X,
	JWK_Y,
	JWK_N,
	JWK_E,
	JWK_K,
	JWK_D,
	JWK_MEMBERS
};

/* RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2. */
static const char *const jwk_names[JWK_MEMBERS] = {
	[JWK_KTY] = "kty", [JWK_USE] = "use", [JWK_KEY_OPS] = "key_ops",
	[JWK_ALG] = "alg", [JWK_KID] = "kid", [JWK_CRV] = "crv",
	[JWK_X] = "x",     [JWK_Y] = "y",     [JWK_N] = "n",
	[JWK_E] = "e",     [JWK_K] = "k",     [JWK_D] = "d",
};

static bool read_member_bytes(const struct json_value *member, struct buffer *bytes)
{
	const char *string = member->string;

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

static EVP_PKEY *read_rsa(const struct json_value *jwk)
{
	struct buffer n = {0}, e = {0};
	EVP_PKEY *pkey = NULL;

	if (read_member_bytes(&jwk[JWK_N], &n) &&
	    read_member_bytes(&jwk[JWK_E], &e)) {
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
static const struct curve *find_curve(const struct json_value *jwk)
{
	for (int i = 0; i < CURVES; i++)
		if (json_value_is(&jwk[JWK_CRV], curves[i].jwk_name))
			return &curves[i];
	return NULL;
}

/* OpenSSL sees to it that the point is on the curve. */
static EVP_PKEY *read_ec(const struct json_value *jwk, const struct curve *curve)
{
	struct buffer point = {0};
	EVP_PKEY *pkey = NULL;

	/* Not compressed: SEC 1 section 2.3.3. */
	buffer_add(&point, "\x04", 1);
	if (read_member_bytes(&jwk[JWK_X], &point) &&
	    point.size == 1 + curve->coordinate_size &&
	    read_member_bytes(&jwk[JWK_Y], &point) &&
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

static EVP_PKEY *read_ed25519(const struct json_value *jwk)
{
	struct buffer x = {0};
	EVP_PKEY *pkey = NULL;

	if (read_member_bytes(&jwk[JWK_X], &x) && x.size == ED25519_SIZE)
		pkey = EVP_PKEY_new_raw_public_key(
			EVP_PKEY_ED25519, NULL, (const unsigned char *)x.data,
			x.size);
	buffer_release(&x);
	return pkey;
}

static bool read_secret(const struct json_value *jwk, struct key *key,
                        const char **why)
{
	struct buffer bytes = {0};
	bool good = read_member_bytes(&jwk[JWK_K], &bytes) &&
	            key_from_secret(buffer_text(&bytes), key, why);

	key_release_bytes(&bytes);
	return good;
}

/* RFC 7517 sections 4.2 and 4.3. */
static bool is_for_signatures(const struct json_value *jwk)
{
	const struct json_value *operations = &jwk[JWK_KEY_OPS];
	struct buffer string = {0};
	struct json_reader reader;
	struct json_value item;
	bool verifies = false;

	if (jwk[JWK_USE].string != NULL && !json_value_is(&jwk[JWK_USE], "sig"))
		return false;
	if (operations->kind != JSON_ARRAY_BEGIN)
		return json_value_may_be(operations, JSON_NULL);
	json_value_open(operations->written, &reader);
	while (json_item_next(&reader, &item, &string))
		verifies |= json_value_is(&item, "verify");
	buffer_release(&string);
	return verifies;
}

/* Whether it is of a type, and on a curve, that is known here. */
static bool is_known(const struct json_value *jwk)
{
	const struct json_value *type = &jwk[JWK_KTY];

	return json_value_is(type, "RSA") || json_value_is(type, "oct") ||
	       (json_value_is(type, "EC") && find_curve(jwk) != NULL) ||
	       (json_value_is(type, "OKP") &&
	        json_value_is(&jwk[JWK_CRV], "Ed25519"));
}

static EVP_PKEY *read_public(const struct json_value *jwk)
{
	if (json_value_is(&jwk[JWK_KTY], "RSA"))
		return read_rsa(jwk);
	if (json_value_is(&jwk[JWK_KTY], "OKP"))
		return read_ed25519(jwk);
	return read_ec(jwk, find_curve(jwk));
}

static bool read_key(const struct json_value *jwk, struct key *key,
                     const char **why)
{
	*why = "a member of the JWK is not as RFC 7518 or RFC 8037 has it";
	if (json_value_is(&jwk[JWK_KTY], "oct"))
		return read_secret(jwk, key, why);
	if (!json_value_may_be(&jwk[JWK_D], JSON_NULL)) {
		*why = "it has a private key: give only the public one";
		return false;
	}
	return take_pkey(read_public(jwk), key, why);
}

static char *copy_string(const char *string)
{
	return string != NULL ? memory_copy(string, strlen(string)) : NULL;
}

static enum jwk_outcome take_jwk(const struct json_value *jwk, struct key *key,
                                 const char **why)
{
	const char *algorithm = jwk[JWK_ALG].string;

	*why = "a JWK has a kty, and its kid, use and alg are strings";
	if (jwk[JWK_KTY].kind != JSON_STRING ||
	    !json_value_may_be(&jwk[JWK_KID], JSON_STRING) ||
	    !json_value_may_be(&jwk[JWK_USE], JSON_STRING) ||
	    !json_value_may_be(&jwk[JWK_ALG], JSON_STRING))
		return JWK_WRONG;
	if (!is_known(jwk) || !is_for_signatures(jwk))
		return JWK_OTHER;
	if (!read_key(jwk, key, why))
		return JWK_WRONG;
	if (algorithm != NULL && !key_is_for(key, algorithm)) {
		key_release(key);
		return JWK_OTHER;
	}
	key->algorithm = copy_string(algorithm);
	key->kid = copy_string(jwk[JWK_KID].string);
	return JWK_TAKEN;
}

enum jwk_outcome key_from_jwk(struct text json, struct key *key, const char **why)
{
	struct json_value jwk[JWK_MEMBERS];
	struct buffer strings = {0};

	*key = (struct key){0};
	/* What is no object has no kty. */
	json_object_read(json, jwk_names, JWK_MEMBERS, jwk, &strings);
	enum jwk_outcome outcome = take_jwk(jwk, key, why);
	key_release_bytes(&strings);
	return outcome;
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
