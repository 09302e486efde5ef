#include "auth/token.h"

#include <strings.h>

#include "auth/signature.h"
#include "base/memory.h"
#include "codec/base64url.h"
#include "codec/json_value.h"
#include "codec/message.h"
#include "codec/pattern.h"

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

/* Empties the buffer if this is not one JSON object in base64url. */
static void read_part(struct text part, struct buffer *json)
{
	struct buffer strings = {0};

	if (!base64url_decode(part, json) ||
	    !json_object_read(buffer_text(json), NULL, 0, NULL, &strings))
		buffer_clear(json);
	buffer_release(&strings);
}

void token_read(struct text token, struct buffer *header, struct buffer *claims)
{
	struct text parts[PARTS];

	if (token.size > TOKEN_MAX || !split(token, parts))
		return;
	read_part(parts[HEADER], header);
	read_part(parts[CLAIMS], claims);
}

/* ---- Signatures ---- */

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

/* Tries the keys with a kid, or those without. Only keys for the algorithm are
 * tried, so neither "none" nor a public key used as a secret ever verifies. */
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
	*why = "the token's signature does not match any key of auth.keys";
	if (signing->tried == 0)
		*why = "no key in auth.keys has the token's alg and kid";
	if (signing->tried > KEYRING_TRIED_MAX)
		*why = "the token's signature matches none of the first 4 keys for "
		       "its alg: give the keys and the token a kid";
	return false;
}

/* RFC 7519 section 5.1, RFC 9068 section 2.1; it makes no difference to how the
 * token is read. */
static bool is_typ(const char *typ)
{
	return strcasecmp(typ, "JWT") == 0 || strcasecmp(typ, "at+jwt") == 0 ||
	       strcasecmp(typ, "application/at+jwt") == 0;
}

enum header_member { HEADER_ALG, HEADER_TYP, HEADER_KID, HEADER_CRIT, HEADER_MEMBERS };

static const char *const header_names[HEADER_MEMBERS] = {
	[HEADER_ALG] = "alg",
	[HEADER_TYP] = "typ",
	[HEADER_KID] = "kid",
	[HEADER_CRIT] = "crit",
};

static bool is_given(const struct json_value *value)
{
	return value->kind != JSON_FAULT;
}

/* RFC 7515 sections 4 and 5.2. What an extension that must be understood
 * (crit) means is not known here. */
static bool check_header(const struct keyring *keyring,
                         const struct json_value header[static HEADER_MEMBERS],
                         struct signing *signing, const char **why)
{
	const struct json_value *typ = &header[HEADER_TYP];

	*why = "the token's header is invalid: alg and kid must be strings, and "
	       "crit absent";
	if (header[HEADER_ALG].kind != JSON_STRING ||
	    !json_value_may_be(&header[HEADER_KID], JSON_STRING) || is_given(&header[HEADER_CRIT]))
		return false;
	*why = "the token's typ must be JWT or at+jwt";
	if (is_given(typ) && (typ->kind != JSON_STRING || !is_typ(typ->string)))
		return false;
	signing->algorithm = header[HEADER_ALG].string;
	/* If no key has a kid, as with PEM files, the token's kid is ignored. */
	signing->kid = keyring->has_names ? header[HEADER_KID].string : NULL;
	return is_signed(keyring, signing, why);
}

/* ---- Claims ---- */

enum claim {
	CLAIM_EXP,
	CLAIM_NBF,
	CLAIM_AUD,
	CLAIM_ISS,
	CLAIM_SUB,
	CLAIM_NAME,
	CLAIM_RIGHTS, /* its name is auth.claim */
	CLAIM_COUNT
};

static bool read_claims(struct text json, const struct auth_settings *settings,
                        struct json_value claims[static CLAIM_COUNT],
                        struct buffer *strings)
{
	const char *const names[CLAIM_COUNT] = {
		[CLAIM_EXP] = "exp",       [CLAIM_NBF] = "nbf",
		[CLAIM_AUD] = "aud",       [CLAIM_ISS] = "iss",
		[CLAIM_SUB] = "sub",       [CLAIM_NAME] = "name",
		[CLAIM_RIGHTS] = settings->claim,
	};

	return json_object_read(json, names, CLAIM_COUNT, claims, strings);
}

/* The reader replaces an unpaired surrogate by U+FFFD. Two different names could
 * become equal, and one user another, so names with U+FFFD are refused. */
static bool is_name(const struct json_value *value)
{
	static const char replacement[] = "\xef\xbf\xbd";

	return value->kind == JSON_STRING &&
	       message_is_name(text_of(value->string)) &&
	       strstr(value->string, replacement) == NULL;
}

static char *copy_name(const struct json_value *value)
{
	return memory_copy(value->string, strlen(value->string));
}

/* Seconds since 1970, until the end of the year 9999. RFC 7519 section 2 allows a
 * fraction, which is ignored. */
static bool read_time(const struct json_value *value, int64_t *time_s)
{
	return json_value_whole(value, time_s) && *time_s >= 0 &&
	       *time_s <= INT64_C(253402300799);
}

static enum token_verdict check_time(const struct json_value *claims,
                                     int64_t skew_s, int64_t now_s,
                                     int64_t *expires_s, const char **why)
{
	int64_t exp_s, nbf_s;

	*why = "the token's exp is missing or not a number of seconds";
	if (!read_time(&claims[CLAIM_EXP], &exp_s))
		return TOKEN_BAD;
	*expires_s = exp_s + skew_s;
	if (is_given(&claims[CLAIM_NBF])) {
		*why = "the token's nbf is not a number of seconds";
		if (!read_time(&claims[CLAIM_NBF], &nbf_s))
			return TOKEN_BAD;
		*why = "the token is not valid yet (nbf)";
		if (nbf_s - skew_s > now_s)
			return TOKEN_BAD;
	}
	*why = "the token has expired";
	return *expires_s > now_s ? TOKEN_GOOD : TOKEN_EXPIRED;
}

/* RFC 7519 section 4.1.3: a string, or an array of strings. */
static bool is_among(const struct json_value *audiences, const char *audience)
{
	struct buffer string = {0};
	struct json_reader reader;
	struct json_value item;
	bool found = false, are_strings = true;

	if (audiences->kind != JSON_ARRAY_BEGIN)
		return json_value_is(audiences, audience);
	json_value_open(audiences->written, &reader);
	while (are_strings && json_item_next(&reader, &item, &string)) {
		are_strings = item.kind == JSON_STRING;
		found |= json_value_is(&item, audience);
	}
	buffer_release(&string);
	return found && are_strings;
}

static bool is_for_here(const struct json_value *claims,
                        const struct auth_settings *settings, const char **why)
{
	*why = "the token's aud does not match auth.audience";
	if (settings->audience[0] != '\0' &&
	    !is_among(&claims[CLAIM_AUD], settings->audience))
		return false;
	*why = "the token's iss does not match auth.issuer";
	return settings->issuer[0] == '\0' ||
	       json_value_is(&claims[CLAIM_ISS], settings->issuer);
}

static bool take_pattern(const struct json_value *item,
                         struct word_list *patterns, const char **why)
{
	enum pattern_fault fault = item->kind == JSON_STRING
	                                   ? pattern_check(item->string)
	                                   : PATTERN_NO_NAME;

	if (fault == PATTERN_TOO_STARRY)
		*why = "a room pattern in the token has more than 8 stars";
	if (fault != PATTERN_GOOD || patterns->count == PATTERN_LIST_MAX)
		return false;
	word_list_add(patterns, item->string);
	return true;
}

static bool take_patterns(const struct json_value *list,
                          struct word_list *patterns, const char **why)
{
	struct buffer string = {0};
	struct json_reader reader;
	struct json_value item;
	bool good = true;

	*why = "read and write in the token's claim of rights must be arrays of at "
	       "most 256 room patterns";
	if (!is_given(list))
		return true;
	if (list->kind != JSON_ARRAY_BEGIN)
		return false;
	json_value_open(list->written, &reader);
	while (good && json_item_next(&reader, &item, &string))
		good = take_pattern(&item, patterns, why);
	buffer_release(&string);
	return good;
}

enum right { RIGHT_SENDER_TYPE, RIGHT_READ, RIGHT_WRITE, RIGHTS };

static const char *const right_names[RIGHTS] = {
	[RIGHT_SENDER_TYPE] = "sender_type",
	[RIGHT_READ] = "read",
	[RIGHT_WRITE] = "write",
};

/* Without the claim there are no rights. */
static bool take_rights(const struct json_value *claim, struct identity *identity,
                        const char **why)
{
	struct json_value rights[RIGHTS] = {0};
	struct buffer strings = {0};
	const struct json_value *type = &rights[RIGHT_SENDER_TYPE];

	*why = "the token's claim of rights (auth.claim) must be an object without "
	       "repeated members";
	bool good = !is_given(claim) ||
	            json_object_read(claim->written, right_names, RIGHTS, rights,
	                             &strings);
	if (good) {
		*why = "the token's sender_type must be a string of 1 to 128 bytes "
		       "without control characters";
		good = !is_given(type) || is_name(type);
	}
	if (good)
		identity->sender_type = is_given(type)
		                                ? copy_name(type)
		                                : memory_copy("user", strlen("user"));
	good = good && take_patterns(&rights[RIGHT_READ], &identity->read, why) &&
	       take_patterns(&rights[RIGHT_WRITE], &identity->write, why);
	buffer_release(&strings);
	return good;
}

/* Some issuers write null or an empty string for a user without a name. */
static bool has_name(const struct json_value *name)
{
	return is_given(name) && name->kind != JSON_NULL &&
	       !json_value_is(name, "");
}

static bool take_identity(const struct json_value *claims,
                          struct identity *identity, const char **why)
{
	const struct json_value *sub = &claims[CLAIM_SUB];
	const struct json_value *name = &claims[CLAIM_NAME];

	if (!has_name(name))
		name = sub;
	*why = "the token's sub is missing or not a string of 1 to 128 bytes "
	       "without control characters";
	if (!is_name(sub))
		return false;
	*why = "the token's name must be a string of 1 to 128 bytes without control "
	       "characters";
	if (!is_name(name))
		return false;
	identity->is_known = true;
	identity->user_id = copy_name(sub);
	identity->username = copy_name(name);
	return take_rights(&claims[CLAIM_RIGHTS], identity, why);
}

static enum token_verdict judge_claims(const struct json_value *claims,
                                       const struct auth_settings *settings,
                                       int64_t now_s, struct identity *identity,
                                       int64_t *expires_s, const char **why)
{
	enum token_verdict verdict = check_time(claims, settings->clock_skew / 1000,
	                                        now_s, expires_s, why);

	if (verdict != TOKEN_GOOD)
		return verdict;
	if (is_for_here(claims, settings, why) &&
	    take_identity(claims, identity, why))
		return TOKEN_GOOD;
	identity_release(identity);
	return TOKEN_BAD;
}

enum token_verdict token_judge_claims(struct text claims,
                                      const struct auth_settings *settings,
                                      int64_t now_s, struct identity *identity,
                                      int64_t *expires_s, const char **why)
{
	enum token_verdict verdict = TOKEN_BAD;
	struct json_value values[CLAIM_COUNT];
	struct buffer strings = {0};

	*identity = (struct identity){0};
	*why = "the token's claims must be one JSON object without repeated "
	       "members";
	if (read_claims(claims, settings, values, &strings))
		verdict = judge_claims(values, settings, now_s, identity,
		                       expires_s, why);
	buffer_release(&strings);
	return verdict;
}

/* ---- A token ---- */

/* Checks the signature first. Of an unverified token only the header is read, to
 * find the key. */
static bool is_genuine(const struct keyring *keyring,
                       const struct text parts[static PARTS],
                       struct text signature, const char **why)
{
	const struct text *header = &parts[HEADER];
	struct signing signing = {
		.text = {header->data, header->size + 1 + parts[CLAIMS].size},
		.signature = signature,
	};
	struct json_value values[HEADER_MEMBERS];
	struct buffer json = {0}, strings = {0};

	*why = "the token's header must be one JSON object without repeated members";
	bool good = base64url_decode(*header, &json) &&
	            json_object_read(buffer_text(&json), header_names,
	                             HEADER_MEMBERS, values, &strings) &&
	            check_header(keyring, values, &signing, why);
	buffer_release(&json);
	buffer_release(&strings);
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
	*why = "the token is malformed: a JWT has three base64url parts separated "
	       "by dots";
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
	struct buffer json = {0};

	if (!split(token, parts) || !base64url_decode(parts[CLAIMS], &json))
		buffer_clear(&json);
	enum token_verdict verdict = token_judge_claims(
		buffer_text(&json), settings, now_s, identity, expires_s, why);
	buffer_release(&json);
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
