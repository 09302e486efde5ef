#include "auth/token.h"

#include <json.h>
#include <stdlib.h>
#include <strings.h>

#include "auth/signature.h"
#include "base/memory.h"
#include "codec/base64url.h"
#include "codec/message.h"
#include "codec/pattern.h"
#include "auth/strict_json.h"

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

/* What is signed, and with what. */
struct signing {
	struct text text, signature;
	const char *algorithm, *kid; /* kid: NULL if it does not matter */
	size_t tried;                /* keys so far */
};

/* Tries the keys that have a name, or those that have none. Only keys that are for
 * the algorithm are tried: neither "none" nor a public key in place of a secret
 * ever gets to be verified. */
static bool is_signed_with(const struct keyring *keyring, bool named,
                           struct signing *signing)
{
	for (size_t i = 0; i < keyring->count; i++) {
		const struct key *key = &keyring->keys[i];

		if ((key->kid != NULL) != named || !has_kid(key, signing->kid) ||
		    !key_is_for(key, signing->algorithm))
			continue;
		if (signing->tried++ == KEYRING_TRIED_MAX)
			return false;
		if (signature_is_good(key, signing->algorithm, signing->text,
		                      signing->signature))
			return true;
	}
	return false;
}

/* Keys without a name first, as no token can ask for them. */
static bool is_signed(const struct keyring *keyring, struct signing *signing,
                      const char **why)
{
	if (is_signed_with(keyring, false, signing))
		return true;
	if (signing->tried <= KEYRING_TRIED_MAX &&
	    is_signed_with(keyring, true, signing))
		return true;
	*why = "the token's signature is not ours";
	if (signing->tried == 0)
		*why = "no key is for the token's alg and kid";
	if (signing->tried > KEYRING_TRIED_MAX)
		*why = "the token's signature is of none of the first 4 keys for "
		       "its alg, and no kid names another";
	return false;
}

/* RFC 7519 section 5.1, RFC 9068 section 2.1; whatever it is, what follows is
 * read in the same way. */
static bool is_typ(const char *typ)
{
	return strcasecmp(typ, "JWT") == 0 || strcasecmp(typ, "at+jwt") == 0 ||
	       strcasecmp(typ, "application/at+jwt") == 0;
}

/* RFC 7515 sections 4 and 5.2. What an extension that must be understood
 * (crit) means is not known here. */
static bool check_header(const struct keyring *keyring, json_object *header,
                         struct signing *signing, const char **why)
{
	json_object *algorithm = json_object_object_get(header, "alg");
	json_object *typ = NULL, *kid = NULL;
	bool names_typ = json_object_object_get_ex(header, "typ", &typ);
	bool names_kid = json_object_object_get_ex(header, "kid", &kid);

	*why = "the token's header is not as it has to be";
	if (!is_string(algorithm) || (names_kid && !is_string(kid)) ||
	    json_object_object_get_ex(header, "crit", NULL))
		return false;
	*why = "the token's typ is not JWT, nor at+jwt";
	if (names_typ &&
	    (!is_string(typ) || !is_typ(json_object_get_string(typ))))
		return false;
	/* Who gives his only key as PEM can't say what its name is. */
	if (!keyring->has_names)
		kid = NULL;
	signing->algorithm = json_object_get_string(algorithm);
	signing->kid = json_object_get_string(kid);
	return is_signed(keyring, signing, why);
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

static bool is_for_here(json_object *claims, const struct auth_settings *settings,
                        const char **why)
{
	const char *audience = settings->audience;
	const char *issuer = settings->issuer;
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
static bool take_rights(json_object *claims, const struct auth_settings *settings,
                        struct identity *identity, const char **why)
{
	json_object *rights = NULL, *type = NULL;

	*why = "the token's claim of rights is no object";
	if (json_object_object_get_ex(claims, settings->claim, &rights) &&
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

static bool take_identity(json_object *claims, const struct auth_settings *settings,
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
                                const struct auth_settings *settings, int64_t now_s,
                                struct identity *identity, int64_t *expires_s,
                                const char **why)
{
	enum token_verdict verdict = TOKEN_BAD;

	*why = "the token's claims are not one JSON object, each given once";
	if (claims != NULL)
		verdict = check_time(claims, settings->clock_skew / 1000,
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
                                      const struct auth_settings *settings,
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
static bool is_genuine(const struct keyring *keyring,
                       const struct text parts[static PARTS],
                       struct text signature, const char **why)
{
	const struct text *header = &parts[HEADER];
	struct signing signing = {
		.text = {header->data, header->size + 1 + parts[CLAIMS].size},
		.signature = signature,
	};
	json_object *object = read_part(*header);

	*why = "the token's header is not one JSON object, each member given once";
	bool good = object != NULL && check_header(keyring, object, &signing, why);
	json_object_put(object);
	return good;
}

bool token_is_genuine(const struct keyring *keyring, struct text token,
                      const char **why)
{
	struct text parts[PARTS];
	struct buffer signature = {0};

	*why = "the token is longer than 8 KiB";
	if (token.size > TOKEN_MAX)
		return false;
	*why = "the token is not three parts in base64url";
	bool good = split(token, parts) &&
	            base64url_decode(parts[SIGNATURE], &signature) &&
	            is_genuine(keyring, parts, buffer_text(&signature), why);
	buffer_release(&signature);
	return good;
}

enum token_verdict token_judge(struct text token, const struct auth_settings *settings,
                               int64_t now_s, struct identity *identity,
                               int64_t *expires_s, const char **why)
{
	struct text parts[PARTS];

	*identity = (struct identity){0};
	json_object *claims = split(token, parts) ? read_part(parts[CLAIMS]) : NULL;
	enum token_verdict verdict =
		judge(claims, settings, now_s, identity, expires_s, why);
	json_object_put(claims);
	return verdict;
}

enum token_verdict token_verify(const struct keyring *keyring,
                                const struct auth_settings *settings,
                                struct text token, int64_t now_s,
                                struct identity *identity, int64_t *expires_s,
                                const char **why)
{
	*identity = (struct identity){0};
	if (!token_is_genuine(keyring, token, why))
		return TOKEN_BAD;
	return token_judge(token, settings, now_s, identity, expires_s, why);
}

/* ---- Making one ---- */

bool token_sign(const struct key *key, const char *algorithm, const char *kid,
                struct text claims, struct buffer *token)
{
	struct buffer header = {0}, text = {0}, signature = {0};

	buffer_printf(&header, "{\"alg\":\"%s\",\"typ\":\"JWT\"", algorithm);
	if (kid != NULL) {
		buffer_add_string(&header, ",\"kid\":");
		buffer_add_json(&header, text_of(kid));
	}
	buffer_add_string(&header, "}");
	base64url_encode(buffer_text(&header), &text);
	buffer_add_string(&text, ".");
	base64url_encode(claims, &text);
	bool good = signature_make(key, algorithm, buffer_text(&text), &signature);
	if (good) {
		buffer_add_text(token, buffer_text(&text));
		buffer_add_string(token, ".");
		base64url_encode(buffer_text(&signature), token);
	}
	buffer_release(&header);
	buffer_release(&text);
	buffer_release(&signature);
	return good;
}
