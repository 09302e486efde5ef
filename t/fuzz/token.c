/* Fuzzes common/auth/token, with json_value, base64url and the keys of a
 * keyring behind it. The first byte of the input says what the rest is:
 *
 *     T  a token as received. It is good only if its signature is the secret's.
 *     S  a header and claims, with a newline between them; they are signed here.
 *     C  claims whose signature is not checked.
 *
 * Signed or not, claims are judged alike; accepted claims are what a strict
 * reader finds in them, and within PROTOCOL's limits. */
#include "auth/token.h"

#include <openssl/hmac.h>
#include <stdlib.h>

#include "base/memory.h"
#include "codec/pattern.h"
#include "codec/json_value.h"
#include "fuzz.h"
#include "rfc8259.h"

enum { NOW_S = 1700000000, SKEW_S = 30, DEPTH_MAX = 32 };

static const char secret[] = "a secret of no less than 32 bytes!";

static const char ec_pem[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEyKU7rj2qRMZsipKiAL/gwRDbsMgg\n"
	"HbcG7YZ1r965gtJD5w3FAc2mrjM513WyW+nI3/S9hkN/eyz2rN7ua5cIQw==\n"
	"-----END PUBLIC KEY-----\n";

static struct keyring keyring;
static struct settings settings;

static void prepare(void)
{
	const char *why;

	if (keyring.count > 0)
		return;
	settings_init(&settings);
	keyring.keys = memory_get(2 * sizeof *keyring.keys);
	keyring.count = 2;
	CLAIM(key_from_secret(text_of(secret), &keyring.keys[0], &why));
	CLAIM(key_from_public_pem(text_of(ec_pem), &keyring.keys[1], &why));
}

/* ---- Signatures, written independently ---- */

static void add_base64url(struct buffer *out, struct text bytes)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789-_";

	for (size_t bit = 0; bit < 8 * bytes.size; bit += 6) {
		unsigned digit = 0;

		for (size_t i = bit; i < bit + 6; i++) {
			unsigned byte = i / 8 < bytes.size
			                        ? (unsigned char)bytes.data[i / 8]
			                        : 0;
			digit = digit << 1 | (byte >> (7 - i % 8) & 1);
		}
		buffer_add(out, &digits[digit], 1);
	}
}

static void add_signature(struct buffer *out, const EVP_MD *hash,
                          struct text text)
{
	unsigned char bytes[EVP_MAX_MD_SIZE];
	unsigned size = 0;

	CLAIM(HMAC(hash, secret, sizeof secret - 1,
	           (const unsigned char *)text.data, text.size, bytes,
	           &size) != NULL);
	add_base64url(out, (struct text){(const char *)bytes, size});
}

static bool ends_in_signature(struct text token, const EVP_MD *hash)
{
	struct buffer expected = {0};
	size_t at = token.size;

	while (at > 0 && token.data[at - 1] != '.')
		at--;
	CLAIM(at > 0);
	add_signature(&expected, hash, (struct text){token.data, at - 1});
	bool same = text_equal(buffer_text(&expected),
	                       (struct text){token.data + at, token.size - at});
	buffer_release(&expected);
	return same;
}

/* ---- What was found in claims ---- */

struct found {
	struct text names[64];
	size_t count;
	bool twice;
	const struct identity *identity;
};

static void visit(void *context, struct text name, struct text value,
                  struct text written)
{
	struct found *found = context;

	(void)written;
	for (size_t i = 0; i < found->count; i++)
		found->twice |= text_equal(name, found->names[i]);
	if (text_is(name, "sub") && found->identity != NULL)
		CLAIM(value.data != NULL &&
		      text_is(value, found->identity->user_id));
	if (text_is(name, "name") && found->identity != NULL && value.size > 0)
		CLAIM(text_is(value, found->identity->username));
	if (found->count == sizeof found->names / sizeof found->names[0])
		return;
	char *copy = memory_copy(name.data != NULL ? name.data : "", name.size);
	found->names[found->count++] = (struct text){copy, name.size};
}

/* Reads what our reader accepted; *identity may be NULL. */
static void check_json(struct text json, const struct identity *identity)
{
	struct found found = {.identity = identity};
	struct rfc8259_found all;

	CLAIM(is_utf8(json));
	CLAIM(rfc8259_read(json, visit, &found, &all));
	CLAIM(all.depth <= DEPTH_MAX + 1);
	CLAIM(!found.twice && !all.has_twice && !all.has_nul);
	while (found.count > 0)
		free((char *)found.names[--found.count].data);
}

static void check_name(const char *name)
{
	struct text text = text_of(name);

	CLAIM(text.size >= 1 && text.size <= 128);
	CLAIM(is_utf8(text));
	CLAIM(!has_control(text));
}

static void check_patterns(const struct word_list *patterns)
{
	CLAIM(patterns->count <= PATTERN_LIST_MAX);
	for (size_t i = 0; i < patterns->count; i++) {
		CLAIM(strlen(patterns->words[i]) <= 64);
		CLAIM(pattern_check(patterns->words[i]) == PATTERN_GOOD);
	}
}

static void check_good(const struct identity *identity, int64_t expires_s)
{
	CLAIM(identity->is_known);
	CLAIM(expires_s > NOW_S);
	CLAIM(expires_s <= INT64_C(253402300799) + SKEW_S);
	check_name(identity->user_id);
	check_name(identity->username);
	check_name(identity->sender_type);
	check_patterns(&identity->read);
	check_patterns(&identity->write);
}

static void check_none(const struct identity *identity)
{
	CLAIM(!identity->is_known && identity->user_id == NULL &&
	      identity->username == NULL && identity->sender_type == NULL);
	CLAIM(identity->read.count == 0 && identity->write.count == 0);
}

/* ---- The three ways ---- */

static enum token_verdict verify(struct text token, struct identity *identity)
{
	int64_t expires_s = 0;
	const char *why = NULL;
	enum token_verdict verdict = token_verify(
		&keyring, &settings.auth, token, NOW_S, identity, &expires_s, &why);

	if (verdict == TOKEN_GOOD)
		check_good(identity, expires_s);
	else
		check_none(identity);
	CLAIM(verdict == TOKEN_GOOD || why != NULL);
	return verdict;
}

static void check_token(struct text token)
{
	struct identity identity;

	if (verify(token, &identity) != TOKEN_BAD)
		CLAIM(ends_in_signature(token, EVP_sha256()) ||
		      ends_in_signature(token, EVP_sha384()) ||
		      ends_in_signature(token, EVP_sha512()));
	identity_release(&identity);
}

static enum token_verdict judge(struct text claims)
{
	struct identity identity;
	int64_t expires_s = 0;
	const char *why = NULL;
	enum token_verdict verdict = token_judge_claims(
		claims, &settings.auth, NOW_S, &identity, &expires_s, &why);

	if (verdict == TOKEN_GOOD) {
		check_json(claims, &identity);
		check_good(&identity, expires_s);
	} else {
		check_none(&identity);
	}
	identity_release(&identity);
	return verdict;
}

/* A strict reader of our own, beside that of claims: of any object. */
static void check_claims(struct text claims)
{
	struct buffer strings = {0};
	bool is_object = json_object_read(claims, NULL, 0, NULL, &strings);

	if (is_object)
		check_json(claims, NULL);
	CLAIM(judge(claims) == TOKEN_BAD || is_object);
	buffer_release(&strings);
}

static bool says_hs256(struct text header)
{
	static const char *const names[] = {"alg"};
	struct buffer strings = {0};
	struct json_value alg = {0};
	bool says = json_object_read(header, names, 1, &alg, &strings) &&
	            json_value_is(&alg, "HS256");

	if (says)
		check_json(header, NULL);
	buffer_release(&strings);
	return says;
}

static void check_signed(struct text rest)
{
	struct text header = cut_line(&rest);
	struct buffer token = {0};
	struct identity identity;

	add_base64url(&token, header);
	buffer_add_string(&token, ".");
	add_base64url(&token, rest);
	struct text text = buffer_text(&token);
	struct buffer signature = {0};
	add_signature(&signature, EVP_sha256(), text);
	buffer_add_string(&token, ".");
	buffer_add_text(&token, buffer_text(&signature));
	enum token_verdict verdict = verify(buffer_text(&token), &identity);
	/* The header may have a typ or a kid that is refused. */
	if (verdict != TOKEN_BAD)
		CLAIM(says_hs256(header) && judge(rest) == verdict);
	identity_release(&identity);
	buffer_release(&signature);
	buffer_release(&token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text rest = input_text(data, size);

	if (size < 2)
		return 0;
	prepare();
	rest.data++;
	rest.size--;
	if (data[0] == 'T')
		check_token(rest);
	else if (data[0] == 'S')
		check_signed(rest);
	else if (data[0] == 'C')
		check_claims(rest);
	return 0;
}
