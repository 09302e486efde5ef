#include "token.h"

#include <errno.h>
#include <json.h>
#include <jwt.h>
#include <stdio.h>
#include <stdlib.h>

#include "memory.h"
#include "message.h"
#include "pattern.h"
#include "utf8.h"

enum { KEY_FILE_MAX = 64 * 1024, SECRET_LEAST = 32 };

struct key {
	bool is_secret;
	struct buffer bytes;
};

struct keyring {
	struct key *keys;
	size_t count;
};

/* ---- Keys ---- */

static bool read_key_file(const char *path, struct buffer *bytes,
                          struct buffer *error)
{
	FILE *file = fopen(path, "r");

	if (file == NULL) {
		buffer_printf(error, "auth.keys: %s: %s", path, strerror(errno));
		return false;
	}
	bytes->size = fread(buffer_reserve(bytes, KEY_FILE_MAX), 1, KEY_FILE_MAX,
	                    file);
	bool good = !ferror(file) && bytes->size < KEY_FILE_MAX;
	fclose(file);
	if (!good)
		buffer_printf(error, "auth.keys: %s: it can't be read, or is "
		              "too long", path);
	return good;
}

static bool read_key(const char *path, struct key *key, struct buffer *error)
{
	static const char pem[] = "-----BEGIN";
	struct buffer *bytes = &key->bytes;

	if (!read_key_file(path, bytes, error))
		return false;
	key->is_secret = bytes->size < sizeof pem - 1 ||
	                 memcmp(bytes->data, pem, sizeof pem - 1) != 0;
	if (!key->is_secret)
		return true;
	if (bytes->size > 0 && bytes->data[bytes->size - 1] == '\n')
		bytes->size--;
	if (bytes->size >= SECRET_LEAST)
		return true;
	buffer_printf(error, "auth.keys: %s: a secret has at least %d bytes",
	              path, SECRET_LEAST);
	return false;
}

struct keyring *keyring_read(const struct settings *settings,
                             struct buffer *error)
{
	const struct word_list *paths = &settings->auth_keys;
	struct keyring *keyring = memory_get(sizeof *keyring);

	keyring->keys = memory_get((paths->count + 1) * sizeof *keyring->keys);
	for (size_t i = 0; i < paths->count; i++) {
		keyring->count++;
		if (read_key(paths->words[i], &keyring->keys[i], error))
			continue;
		keyring_free(keyring);
		return NULL;
	}
	return keyring;
}

void keyring_free(struct keyring *keyring)
{
	if (keyring == NULL)
		return;
	for (size_t i = 0; i < keyring->count; i++)
		buffer_release(&keyring->keys[i].bytes);
	free(keyring->keys);
	free(keyring);
}

/* ---- Signatures ---- */

static bool is_for_secrets(jwt_alg_t algorithm)
{
	return algorithm == JWT_ALG_HS256 || algorithm == JWT_ALG_HS384 ||
	       algorithm == JWT_ALG_HS512;
}

static bool is_verified_by(const struct key *key, const char *token)
{
	jwt_t *jwt = NULL;
	int wrong = jwt_decode(&jwt, token,
	                       (const unsigned char *)key->bytes.data,
	                       (int)key->bytes.size);

	jwt_free(jwt);
	return wrong == 0;
}

/* Which algorithm a token claims is looked at before any key is; jwt_get_alg()
 * says "none" as long as there is no key. */
static jwt_t *verify_signature(const struct keyring *keyring, const char *token)
{
	jwt_t *jwt = NULL;

	if (jwt_decode(&jwt, token, NULL, 0) != 0)
		return NULL;
	const char *claimed = jwt_get_header(jwt, "alg");
	jwt_alg_t algorithm = claimed != NULL ? jwt_str_alg(claimed)
	                                      : JWT_ALG_NONE;
	for (size_t i = 0; i < keyring->count && algorithm != JWT_ALG_NONE; i++)
		if (keyring->keys[i].is_secret == is_for_secrets(algorithm) &&
		    is_verified_by(&keyring->keys[i], token))
			return jwt;
	jwt_free(jwt);
	return NULL;
}

/* ---- Claims ---- */

static bool is_name(const char *name)
{
	struct text text = text_of(name);

	return text.size >= 1 && text.size <= MESSAGE_NAME_MAX &&
	       utf8_valid(text) && !utf8_has_control(text);
}

static char *copy_name(const char *name)
{
	return memory_copy(name, strlen(name));
}

static bool take_patterns(json_object *rights, const char *name,
                          struct word_list *patterns)
{
	json_object *list = json_object_object_get(rights, name);

	if (list == NULL)
		return true;
	if (!json_object_is_type(list, json_type_array))
		return false;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		json_object *item = json_object_array_get_idx(list, i);

		if (!json_object_is_type(item, json_type_string) ||
		    !pattern_check(json_object_get_string(item)))
			return false;
		word_list_add(patterns, json_object_get_string(item));
	}
	return true;
}

static bool take_rights(json_object *claims, const struct settings *settings,
                        struct identity *identity)
{
	json_object *rights =
		json_object_object_get(claims, settings->auth_claim);
	json_object *type = json_object_object_get(rights, "sender_type");
	const char *sender_type = type != NULL ? json_object_get_string(type)
	                                       : "user";

	if (rights != NULL && !json_object_is_type(rights, json_type_object))
		return false;
	if (sender_type == NULL || !is_name(sender_type))
		return false;
	identity->sender_type = copy_name(sender_type);
	return take_patterns(rights, "read", &identity->read) &&
	       take_patterns(rights, "write", &identity->write);
}

/* Whether a claim is this word, or a list that has it. */
static bool has_word(json_object *claim, const char *word)
{
	size_t count = json_object_is_type(claim, json_type_array)
	                       ? json_object_array_length(claim)
	                       : 0;

	for (size_t i = 0; i < count; i++)
		if (has_word(json_object_array_get_idx(claim, i), word))
			return true;
	return json_object_is_type(claim, json_type_string) &&
	       strcmp(json_object_get_string(claim), word) == 0;
}

static bool is_meant_for_us(json_object *claims, const struct settings *settings)
{
	const char *audience = settings->auth_audience;
	const char *issuer = settings->auth_issuer;

	return (audience[0] == '\0' ||
	        has_word(json_object_object_get(claims, "aud"), audience)) &&
	       (issuer[0] == '\0' ||
	        has_word(json_object_object_get(claims, "iss"), issuer));
}

static enum token_verdict check_time(json_object *claims, int64_t skew_s,
                                     int64_t now_s, int64_t *expires_s)
{
	json_object *exp = json_object_object_get(claims, "exp");
	json_object *nbf = json_object_object_get(claims, "nbf");

	if (!json_object_is_type(exp, json_type_int) ||
	    json_object_get_int64(exp) > INT64_MAX / 2000)
		return TOKEN_BAD;
	if (nbf != NULL && (!json_object_is_type(nbf, json_type_int) ||
	                    json_object_get_int64(nbf) > now_s + skew_s))
		return TOKEN_BAD;
	*expires_s = json_object_get_int64(exp) + skew_s;
	return *expires_s > now_s ? TOKEN_GOOD : TOKEN_EXPIRED;
}

static enum token_verdict read_claims(json_object *claims,
                                      const struct settings *settings,
                                      int64_t now_s, struct identity *identity,
                                      int64_t *expires_s, const char **why)
{
	json_object *sub = json_object_object_get(claims, "sub");
	json_object *name = json_object_object_get(claims, "name");
	enum token_verdict verdict =
		check_time(claims, settings->auth_clock_skew / 1000, now_s,
	                   expires_s);

	*why = verdict == TOKEN_EXPIRED ? "the token has expired"
	                                : "the token has no exp, or is not "
	                                  "good yet";
	if (verdict != TOKEN_GOOD)
		return verdict;
	*why = "the token is not for here";
	if (!is_meant_for_us(claims, settings))
		return TOKEN_BAD;
	*why = "the token's claims are not as they have to be";
	if (!json_object_is_type(sub, json_type_string) ||
	    !is_name(json_object_get_string(sub)) ||
	    (name != NULL && (!json_object_is_type(name, json_type_string) ||
	                      !is_name(json_object_get_string(name)))))
		return TOKEN_BAD;
	identity->is_known = true;
	identity->user_id = copy_name(json_object_get_string(sub));
	identity->username =
		copy_name(json_object_get_string(name != NULL ? name : sub));
	return take_rights(claims, settings, identity) ? TOKEN_GOOD : TOKEN_BAD;
}

enum token_verdict token_verify(const struct keyring *keyring,
                                const struct settings *settings,
                                struct text token, int64_t now_s,
                                struct identity *identity, int64_t *expires_s,
                                const char **why)
{
	enum token_verdict verdict = TOKEN_BAD;

	*identity = (struct identity){0};
	*why = "the token can't be verified";
	if (token.size == 0 || token.size > TOKEN_MAX ||
	    memchr(token.data, '\0', token.size) != NULL)
		return TOKEN_BAD;
	char *copy = memory_copy(token.data, token.size);
	jwt_t *jwt = verify_signature(keyring, copy);
	free(copy);
	if (jwt == NULL)
		return TOKEN_BAD;
	char *json = jwt_get_grants_json(jwt, NULL);
	json_object *claims = json != NULL ? json_tokener_parse(json) : NULL;
	verdict = read_claims(claims, settings, now_s, identity, expires_s, why);
	json_object_put(claims);
	free(json);
	jwt_free(jwt);
	if (verdict != TOKEN_GOOD)
		identity_release(identity);
	return verdict;
}
