#include "token.h"

#include <json.h>
#include <jwt.h>
#include <stdlib.h>
#include <strings.h>

#include "base64url.h"
#include "memory.h"
#include "message.h"
#include "pattern.h"
#include "strict_json.h"

/* ---- What a token is made of ---- */

enum { HEADER, CLAIMS, SIGNATURE, PARTS };

/* False unless there are three parts, none of them empty. */
static bool split(struct text token, struct text parts[static PARTS])
{
	for (int i = 0; i < PARTS; i++) {
		const char *dot = token.size > 0
		                          ? memchr(token.data, '.', token.size)
		                          : NULL;

		if ((dot == NULL) != (i == PARTS - 1))
			return false;
		parts[i] = token;
		if (dot != NULL)
			parts[i].size = (size_t)(dot - token.data);
		if (parts[i].size == 0)
			return false;
		token.data += parts[i].size + (dot != NULL);
		token.size -= parts[i].size + (dot != NULL);
	}
	return true;
}

/* NULL if it is not one JSON object in base64url. */
static json_object *read_part(struct text part)
{
	struct buffer bytes = {0};
	json_object *object = NULL;

	if (base64url_decode(part, &bytes))
		object = strict_json_parse(buffer_text(&bytes));
	buffer_release(&bytes);
	return object;
}

static bool is_base64url(struct text part)
{
	struct buffer bytes = {0};
	bool good = base64url_decode(part, &bytes);

	buffer_release(&bytes);
	return good;
}

void token_read(struct text token, json_object **header, json_object **claims)
{
	struct text parts[PARTS];

	*header = *claims = NULL;
	if (token.size > TOKEN_MAX || !split(token, parts))
		return;
	*header = read_part(parts[HEADER]);
	*claims = read_part(parts[CLAIMS]);
}

/* ---- Signatures ---- */

static bool is_string(json_object *value)
{
	return json_object_is_type(value, json_type_string);
}

static bool has_kid(const struct key *key, const char *kid)
{
	return kid == NULL || (key->kid != NULL && strcmp(key->kid, kid) == 0);
}

/* The token has a NUL behind it. libjwt compares a computed signature in
 * constant time, and has OpenSSL verify others. */
static bool is_signed_with(const struct key *key, const char *token)
{
	jwt_t *jwt = NULL;
	int wrong = jwt_decode(&jwt, token,
	                       (const unsigned char *)key->bytes.data,
	                       (int)key->bytes.size);

	jwt_free(jwt);
	return wrong == 0;
}

/* Only keys that are for the algorithm are tried: neither "none" nor a public
 * key in place of a secret ever gets to libjwt. */
static bool is_signed(const struct keyring *keyring, const char *algorithm,
                      const char *kid, struct text token, const char **why)
{
	char *copy = memory_copy(token.data, token.size);
	bool good = false;

	*why = "no key is for the token's alg and kid";
	for (size_t i = 0; i < keyring->count && !good; i++) {
		const struct key *key = &keyring->keys[i];

		if (!has_kid(key, kid) || !key_is_for(key, algorithm))
			continue;
		*why = "the token's signature is not ours";
		good = is_signed_with(key, copy);
	}
	free(copy);
	return good;
}

/* RFC 7515 sections 4 and 5.2. What an extension that must be understood
 * (crit) means is not known here. */
static bool check_header(const struct keyring *keyring, json_object *header,
                         struct text token, const char **why)
{
	json_object *algorithm = json_object_object_get(header, "alg");
	json_object *typ = json_object_object_get(header, "typ");
	json_object *kid = NULL;
	bool names_kid = json_object_object_get_ex(header, "kid", &kid);

	*why = "the token's header is not as it has to be";
	if (!is_string(algorithm) || (names_kid && !is_string(kid)) ||
	    json_object_object_get_ex(header, "crit", NULL))
		return false;
	/* libjwt refuses it too, but says no more than that it does. */
	*why = "the token's typ is not JWT";
	if (is_string(typ) && strcasecmp(json_object_get_string(typ), "JWT") != 0)
		return false;
	/* Who gives his only key as PEM can't say what its name is. */
	if (!keyring->has_names)
		kid = NULL;
	return is_signed(keyring, json_object_get_string(algorithm),
	                 json_object_get_string(kid), token, why);
}

/* ---- Claims ---- */

/* json-c puts U+FFFD for what it can't decode: two that differ could become the
 * same, and one user another. */
static bool is_name(json_object *value)
{
	static const char replacement[] = "\xef\xbf\xbd";
	const char *string = json_object_get_string(value);

	if (!is_string(value))
		return false;
	return message_is_name(text_of(string)) &&
	       strstr(string, replacement) == NULL;
}

static char *copy_name(json_object *value)
{
	const char *name = json_object_get_string(value);

	return memory_copy(name, strlen(name));
}

/* Seconds since 1970, until the end of the year 9999. json-c takes the fraction
 * off (RFC 7519 section 2 allows one), and makes a time that is too large or too
 * small the largest or smallest integer. */
static bool read_time(json_object *value, int64_t *time_s)
{
	if (!json_object_is_type(value, json_type_int) &&
	    !json_object_is_type(value, json_type_double))
		return false;
	*time_s = json_object_get_int64(value);
	return *time_s >= 0 && *time_s <= INT64_C(253402300799);
}

static enum token_verdict check_time(json_object *claims, int64_t skew_s,
                                     int64_t now_s, int64_t *expires_s,
                                     const char **why)
{
	json_object *nbf = NULL;
	int64_t exp_s, nbf_s;

	*why = "the token's exp is no time, or absent";
	if (!read_time(json_object_object_get(claims, "exp"), &exp_s))
		return TOKEN_BAD;
	*expires_s = exp_s + skew_s;
	if (json_object_object_get_ex(claims, "nbf", &nbf)) {
		*why = "the token's nbf is no time";
		if (!read_time(nbf, &nbf_s))
			return TOKEN_BAD;
		*why = "the token is not good yet";
		if (nbf_s - skew_s > now_s)
			return TOKEN_BAD;
	}
	*why = "the token has expired";
	return *expires_s > now_s ? TOKEN_GOOD : TOKEN_EXPIRED;
}

/* RFC 7519 section 4.1.3: a string, or an array of strings. */
static bool is_among(json_object *audiences, const char *audience)
{
	bool found = false;

	if (is_string(audiences))
		return strcmp(json_object_get_string(audiences), audience) == 0;
	if (!json_object_is_type(audiences, json_type_array))
		return false;
	for (size_t i = 0; i < json_object_array_length(audiences); i++) {
		json_object *item = json_object_array_get_idx(audiences, i);

		if (!is_string(item))
			return false;
		found |= strcmp(json_object_get_string(item), audience) == 0;
	}
	return found;
}

static bool is_for_here(json_object *claims, const struct settings *settings,
                        const char **why)
{
	const char *audience = settings->auth_audience;
	const char *issuer = settings->auth_issuer;
	json_object *iss = json_object_object_get(claims, "iss");

	*why = "the token's aud is another";
	if (audience[0] != '\0' &&
	    !is_among(json_object_object_get(claims, "aud"), audience))
		return false;
	*why = "the token's iss is another";
	return issuer[0] == '\0' ||
	       (is_string(iss) &&
	        strcmp(json_object_get_string(iss), issuer) == 0);
}

static bool take_pattern(json_object *item, struct word_list *patterns,
                         const char **why)
{
	const char *pattern = json_object_get_string(item);
	enum pattern_fault fault =
		is_string(item) ? pattern_check(pattern) : PATTERN_NO_NAME;

	if (fault == PATTERN_TOO_STARRY)
		*why = "a pattern of the token has more than 8 stars";
	if (fault == PATTERN_GOOD)
		word_list_add(patterns, pattern);
	return fault == PATTERN_GOOD;
}

static bool take_patterns(json_object *rights, const char *name,
                          struct word_list *patterns, const char **why)
{
	json_object *list = NULL;

	*why = "the token's read or write is no list of up to 256 patterns for "
	       "names of rooms";
	if (!json_object_object_get_ex(rights, name, &list))
		return true;
	if (!json_object_is_type(list, json_type_array) ||
	    json_object_array_length(list) > PATTERN_LIST_MAX)
		return false;
	for (size_t i = 0; i < json_object_array_length(list); i++)
		if (!take_pattern(json_object_array_get_idx(list, i), patterns,
		                  why))
			return false;
	return true;
}

/* Who has the claim not at all has no rights. */
static bool take_rights(json_object *claims, const struct settings *settings,
                        struct identity *identity, const char **why)
{
	json_object *rights = NULL, *type = NULL;

	*why = "the token's claim of rights is no object";
	if (json_object_object_get_ex(claims, settings->auth_claim, &rights) &&
	    !json_object_is_type(rights, json_type_object))
		return false;
	*why = "the token's sender_type is none";
	if (!json_object_object_get_ex(rights, "sender_type", &type))
		identity->sender_type = memory_copy("user", strlen("user"));
	else if (is_name(type))
		identity->sender_type = copy_name(type);
	else
		return false;
	return take_patterns(rights, "read", &identity->read, why) &&
	       take_patterns(rights, "write", &identity->write, why);
}

/* Who has no name may be given as one whose name is null, or empty. */
static bool has_name(json_object *claims)
{
	json_object *name = json_object_object_get(claims, "name");

	return name != NULL &&
	       (!is_string(name) || json_object_get_string_len(name) > 0);
}

static bool take_identity(json_object *claims, const struct settings *settings,
                          struct identity *identity, const char **why)
{
	json_object *sub = json_object_object_get(claims, "sub");
	json_object *name = has_name(claims)
	                            ? json_object_object_get(claims, "name")
	                            : sub;

	*why = "the token's sub is no user id, or absent";
	if (!is_name(sub))
		return false;
	*why = "the token's name is none";
	if (!is_name(name))
		return false;
	identity->is_known = true;
	identity->user_id = copy_name(sub);
	identity->username = copy_name(name);
	return take_rights(claims, settings, identity, why);
}

static enum token_verdict judge(json_object *claims,
                                const struct settings *settings, int64_t now_s,
                                struct identity *identity, int64_t *expires_s,
                                const char **why)
{
	enum token_verdict verdict = TOKEN_BAD;

	*why = "the token's claims are not one JSON object, each given once";
	if (claims != NULL)
		verdict = check_time(claims, settings->auth_clock_skew / 1000,
		                     now_s, expires_s, why);
	if (verdict != TOKEN_GOOD)
		return verdict;
	if (is_for_here(claims, settings, why) &&
	    take_identity(claims, settings, identity, why))
		return TOKEN_GOOD;
	identity_release(identity);
	return TOKEN_BAD;
}

enum token_verdict token_judge_claims(struct text claims,
                                      const struct settings *settings,
                                      int64_t now_s, struct identity *identity,
                                      int64_t *expires_s, const char **why)
{
	json_object *object = strict_json_parse(claims);

	*identity = (struct identity){0};
	enum token_verdict verdict =
		judge(object, settings, now_s, identity, expires_s, why);
	json_object_put(object);
	return verdict;
}

/* ---- A token ---- */

/* The signature first: nothing that anybody could have written is looked into
 * further than to find the key. */
static bool is_genuine(const struct keyring *keyring, struct text token,
                       struct text parts[static PARTS], const char **why)
{
	*why = "the token is longer than 8 KiB";
	if (token.size > TOKEN_MAX)
		return false;
	*why = "the token is not three parts in base64url";
	if (!split(token, parts) || !is_base64url(parts[SIGNATURE]))
		return false;
	*why = "the token's header is not one JSON object, each member given once";
	json_object *header = read_part(parts[HEADER]);
	bool good = header != NULL && check_header(keyring, header, token, why);

	json_object_put(header);
	return good;
}

enum token_verdict token_verify(const struct keyring *keyring,
                                const struct settings *settings,
                                struct text token, int64_t now_s,
                                struct identity *identity, int64_t *expires_s,
                                const char **why)
{
	struct text parts[PARTS];

	*identity = (struct identity){0};
	if (!is_genuine(keyring, token, parts, why))
		return TOKEN_BAD;
	json_object *claims = read_part(parts[CLAIMS]);
	enum token_verdict verdict =
		judge(claims, settings, now_s, identity, expires_s, why);
	json_object_put(claims);
	return verdict;
}

/* ---- Making one ---- */

bool token_sign(const struct key *key, const char *algorithm, const char *kid,
                struct text claims, struct buffer *token)
{
	char *json = memory_copy(claims.data, claims.size);
	jwt_t *jwt = NULL;
	char *made = NULL;

	if (key_is_for(key, algorithm) && jwt_new(&jwt) == 0 &&
	    jwt_set_alg(jwt, jwt_str_alg(algorithm),
	                (const unsigned char *)key->bytes.data,
	                (int)key->bytes.size) == 0 &&
	    (kid == NULL || jwt_add_header(jwt, "kid", kid) == 0) &&
	    jwt_add_grants_json(jwt, json) == 0)
		made = jwt_encode_str(jwt);
	if (made != NULL)
		buffer_add_string(token, made);
	jwt_free(jwt);
	free(made);
	free(json);
	return made != NULL;
}
