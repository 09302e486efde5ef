#include "auth/signature.h"

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

enum { DER_MAX = 160 }; /* bytes, of two numbers of 66 */

/* The last digits of an algorithm's name; NULL: it hashes by itself. */
static const EVP_MD *find_hash(const char *algorithm)
{
	const char *digits = algorithm + strcspn(algorithm, "0123456789");

	if (strcmp(digits, "256") == 0)
		return EVP_sha256();
	if (strcmp(digits, "384") == 0)
		return EVP_sha384();
	return strcmp(digits, "512") == 0 ? EVP_sha512() : NULL;
}

static const unsigned char *bytes_of(struct text text)
{
	return (const unsigned char *)text.data;
}

/* ---- Two numbers: side by side in a token, in DER for OpenSSL ---- */

/* Takes r and s. Returns how many bytes there are; 0: it can't be. */
static size_t write_der(BIGNUM *r, BIGNUM *s, unsigned char der[static DER_MAX])
{
	ECDSA_SIG *numbers = ECDSA_SIG_new();
	int size = 0;

	if (numbers == NULL || r == NULL || s == NULL ||
	    ECDSA_SIG_set0(numbers, r, s) != 1) {
		BN_free(r);
		BN_free(s);
	} else {
		size = i2d_ECDSA_SIG(numbers, NULL);
	}
	size = size > 0 && size <= DER_MAX ? i2d_ECDSA_SIG(numbers, &der) : 0;
	ECDSA_SIG_free(numbers);
	return size > 0 ? (size_t)size : 0;
}

/* Exactly two numbers, neither more nor fewer bytes (RFC 7518 section 3.4). */
static size_t to_der(struct text signature, size_t size,
                     unsigned char der[static DER_MAX])
{
	const unsigned char *bytes = bytes_of(signature);

	if (signature.size != 2 * size)
		return 0;
	return write_der(BN_bin2bn(bytes, (int)size, NULL),
	                 BN_bin2bn(bytes + size, (int)size, NULL), der);
}

static bool add_from_der(const unsigned char *der, size_t der_size, size_t size,
                         struct buffer *signature)
{
	ECDSA_SIG *numbers = d2i_ECDSA_SIG(NULL, &der, (long)der_size);
	unsigned char *bytes =
		(unsigned char *)buffer_reserve(signature, 2 * size);
	bool good = numbers != NULL &&
	            BN_bn2binpad(ECDSA_SIG_get0_r(numbers), bytes,
	                         (int)size) >= 0 &&
	            BN_bn2binpad(ECDSA_SIG_get0_s(numbers), bytes + size,
	                         (int)size) >= 0;

	if (good)
		signature->size += 2 * size;
	ECDSA_SIG_free(numbers);
	return good;
}

/* ---- Secrets ---- */

/* Returns how many bytes there are. */
static unsigned compute(const struct key *key, const char *algorithm,
                        struct text text, unsigned char code[EVP_MAX_MD_SIZE])
{
	unsigned size = 0;

	return HMAC(find_hash(algorithm), key->secret.data,
	            (int)key->secret.size, bytes_of(text), text.size, code,
	            &size) != NULL
	               ? size
	               : 0;
}

/* Compares in constant time. */
static bool is_computed(const struct key *key, const char *algorithm,
                        struct text text, struct text signature)
{
	unsigned char code[EVP_MAX_MD_SIZE];
	unsigned size = compute(key, algorithm, text, code);

	return size > 0 && signature.size == size &&
	       CRYPTO_memcmp(code, signature.data, size) == 0;
}

static bool add_computed(const struct key *key, const char *algorithm,
                         struct text text, struct buffer *signature)
{
	unsigned char code[EVP_MAX_MD_SIZE];
	unsigned size = compute(key, algorithm, text, code);

	buffer_add(signature, code, size);
	return size > 0;
}

/* ---- Pairs of keys ---- */

static bool verify_with_pair(const struct key *key, const char *algorithm,
                             struct text text, struct text signature)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = context != NULL &&
	            EVP_DigestVerifyInit(context, NULL, find_hash(algorithm),
	                                 NULL, key->pair) == 1 &&
	            EVP_DigestVerify(context, bytes_of(signature),
	                             signature.size, bytes_of(text),
	                             text.size) == 1;

	EVP_MD_CTX_free(context);
	return good;
}

static bool verify_numbers(const struct key *key, const char *algorithm,
                           struct text text, struct text signature, size_t size)
{
	unsigned char der[DER_MAX];
	size_t der_size = to_der(signature, size, der);

	return der_size > 0 &&
	       verify_with_pair(key, algorithm, text,
	                        (struct text){(const char *)der, der_size});
}

static bool sign_with_pair(const struct key *key, const char *algorithm,
                           struct text text, struct buffer *signature)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t size = (size_t)EVP_PKEY_get_size(key->pair);
	unsigned char *bytes = (unsigned char *)buffer_reserve(signature, size);
	bool good = context != NULL &&
	            EVP_DigestSignInit(context, NULL, find_hash(algorithm),
	                               NULL, key->pair) == 1 &&
	            EVP_DigestSign(context, bytes, &size, bytes_of(text),
	                           text.size) == 1;

	if (good)
		signature->size += size;
	EVP_MD_CTX_free(context);
	return good;
}

/* ---- Both ---- */

bool signature_is_good(const struct key *key, const char *algorithm,
                       struct text text, struct text signature)
{
	size_t size = key_coordinate_size(key);

	if (!key_is_for(key, algorithm))
		return false;
	if (key->kind == KEY_SECRET)
		return is_computed(key, algorithm, text, signature);
	return size > 0 ? verify_numbers(key, algorithm, text, signature, size)
	                : verify_with_pair(key, algorithm, text, signature);
}

bool signature_make(const struct key *key, const char *algorithm,
                    struct text text, struct buffer *signature)
{
	size_t size = key_coordinate_size(key);
	struct buffer der = {0};

	if (!key_is_for(key, algorithm))
		return false;
	if (key->kind == KEY_SECRET)
		return add_computed(key, algorithm, text, signature);
	if (size == 0)
		return sign_with_pair(key, algorithm, text, signature);
	bool good = sign_with_pair(key, algorithm, text, &der) &&
	            add_from_der((const unsigned char *)der.data, der.size,
	                         size, signature);
	buffer_release(&der);
	return good;
}
