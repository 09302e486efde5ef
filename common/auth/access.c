#include "auth/access.h"

#include <stdlib.h>
#include <strings.h>

#include "auth/token_cache.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "codec/message.h"
#include "codec/params.h"
#include "codec/pattern.h"

static const struct problem fine = {PROBLEM_NONE, NULL};
static const struct identity nobody;
static const struct grant nothing = {.identity = &nobody,
                                     .expires = {INT64_MAX, INT64_MAX}};

/* ---- What nginx hands over ---- */

/* Decodes a name that nginx passes. NULL: it is not a valid name. */
static char *take_encoded_name(struct text encoded)
{
	struct buffer decoded = {0};
	bool good = percent_decode(encoded, false, &decoded);
	struct text name = buffer_text(&decoded);
	char *copy = NULL;

	if (good && utf8_valid(name) && message_is_name(name))
		copy = memory_copy(name.data, name.size);
	buffer_release(&decoded);
	return copy;
}

static char *take_name_or(struct text encoded, const char *initial)
{
	return encoded.size > 0 ? take_encoded_name(encoded)
	                        : memory_copy(initial, strlen(initial));
}

/* Returns what is wrong with a list, for people; NULL: nothing. */
static const char *take_encoded_patterns(struct text encoded,
                                         struct word_list *patterns)
{
	char *words = memory_copy(encoded.data != NULL ? encoded.data : "",
	                          encoded.size);
	bool good = strlen(words) == encoded.size;

	word_list_add(patterns, words);
	free(words);
	if (patterns->count > PATTERN_LIST_MAX)
		return "the site sent more than 256 room patterns in "
		       "Longroom-Read or Longroom-Write";
	switch (pattern_list_check(patterns)) {
	case PATTERN_TOO_STARRY:
		return "the site sent a room pattern with more than 8 stars in "
		       "Longroom-Read or Longroom-Write";
	case PATTERN_NO_NAME:
		good = false;
		break;
	case PATTERN_GOOD:
		break;
	}
	return good ? NULL : "the site sent an invalid room pattern in "
	                     "Longroom-Read or Longroom-Write";
}

/* Fails closed: a malformed identity gets 403 everywhere. */
static struct problem take_from_nginx(const struct credentials *credentials,
                                      struct grant *grant)
{
	struct identity *own = &grant->own;

	if (credentials->user_id.size == 0)
		return fine;
	own->is_known = true;
	own->user_id = take_encoded_name(credentials->user_id);
	if (own->user_id != NULL)
		own->username = take_name_or(credentials->username,
		                             own->user_id);
	own->sender_type = take_name_or(credentials->sender_type, "user");
	if (own->user_id == NULL || own->username == NULL ||
	    own->sender_type == NULL)
		return (struct problem){PROBLEM_FORBIDDEN,
		                        "the site sent an invalid "
		                        "Longroom-User-Id, Longroom-Username or "
		                        "Longroom-Sender-Type: send 1 to 128 "
		                        "bytes of UTF-8 without control "
		                        "characters, with %XX for bytes that "
		                        "are not ASCII"};
	const char *why = take_encoded_patterns(credentials->read, &own->read);
	if (why == NULL)
		why = take_encoded_patterns(credentials->write, &own->write);
	if (why != NULL)
		return (struct problem){PROBLEM_FORBIDDEN, why};
	grant->identity = own;
	return fine;
}

/* ---- Tokens ---- */

struct access {
	struct token_cache *tokens; /* NULL: the mode has none */
};

bool access_read_keys(const struct auth_settings *settings, struct keyring **keyring,
                      struct buffer *error)
{
	*keyring = settings->mode == AUTH_TOKEN
	                   ? keyring_read(settings, error)
	                   : NULL;
	return *keyring != NULL || settings->mode != AUTH_TOKEN;
}

struct access *access_new(const struct auth_settings *settings, struct buffer *error)
{
	struct keyring *keyring;

	if (!access_read_keys(settings, &keyring, error))
		return NULL;
	struct access *access = memory_get(sizeof *access);
	if (keyring != NULL)
		access->tokens = token_cache_new(settings, keyring);
	return access;
}

void access_use_keys(struct access *access, const struct auth_settings *settings,
                     struct keyring *keyring)
{
	if (access->tokens != NULL)
		token_cache_renew(access->tokens, settings, keyring);
}

void access_free(struct access *access)
{
	if (access == NULL)
		return;
	if (access->tokens != NULL)
		token_cache_free(access->tokens);
	free(access);
}

void access_release_grant(struct grant *grant)
{
	identity_release(&grant->own);
	if (grant->entry != NULL)
		token_cache_unref(grant->entry);
	grant->entry = NULL;
}

/* RFC 6750 section 2.1. Other schemes are ignored. */
static struct text find_bearer(struct text header)
{
	static const char scheme[] = "Bearer ";
	struct text token = {NULL, 0};

	if (header.size < sizeof scheme - 1 ||
	    strncasecmp(header.data, scheme, sizeof scheme - 1) != 0)
		return token;
	token = (struct text){header.data + sizeof scheme - 1,
	                      header.size - (sizeof scheme - 1)};
	while (token.size > 0 && token.data[0] == ' ') {
		token.data++;
		token.size--;
	}
	return token;
}

/* Returns the first cookie of that name: browsers send the one with the longest
 * path first (RFC 6265 section 5.4). */
static struct text find_cookie(struct text header, const char *name)
{
	size_t size = strlen(name);

	while (size > 0 && header.size > 0) {
		const char *end = memchr(header.data, ';', header.size);
		size_t length = end != NULL ? (size_t)(end - header.data)
		                            : header.size;

		if (length > size && memcmp(header.data, name, size) == 0 &&
		    header.data[size] == '=')
			return (struct text){header.data + size + 1,
			                     length - size - 1};
		length += end != NULL;
		header.data += length;
		header.size -= length;
		while (header.size > 0 && header.data[0] == ' ') {
			header.data++;
			header.size--;
		}
	}
	return (struct text){NULL, 0};
}

static void take_entry(struct token_entry *entry, struct grant *grant)
{
	grant->entry = entry;
	grant->identity = &entry->identity;
	grant->expires = entry->expires;
}

static struct text find_given_token(const struct auth_settings *settings,
                                    const struct credentials *credentials,
                                    struct grant *grant)
{
	struct text token = find_bearer(credentials->authorization);

	if (token.size > 0)
		return token;
	grant->is_by_cookie = true;
	return find_cookie(credentials->cookie, settings->cookie);
}

/* A proof counts only for the token that was verified. auth.cookie may have changed
 * since, and the request may have a cookie of either name. */
static bool is_proof_of(const struct token_proof *proof, struct text token)
{
	return proof != NULL && text_equal(token, proof->token);
}

/* Looks a token up in the cache, or admits it by its proof. */
static struct problem take_token(struct access *access,
                                 const struct auth_settings *settings,
                                 struct text token, struct token_proof *proof,
                                 const struct moment *now, struct grant *grant)
{
	struct token_cache *tokens = access->tokens;
	enum token_verdict verdict;
	struct token_entry *entry;
	const char *why;

	if (is_proof_of(proof, token)) {
		verdict = token_cache_admit(tokens, settings, token, proof, now,
		                            &entry, &why);
	} else if (!token_cache_recall(tokens, settings, token, now, &verdict,
	                               &entry, &why)) {
		grant->unverified = token;
		return fine;
	}
	switch (verdict) {
	case TOKEN_GOOD:
		take_entry(entry, grant);
		return fine;
	case TOKEN_EXPIRED:
		return (struct problem){PROBLEM_TOKEN_EXPIRED, why};
	case TOKEN_BAD:
		break;
	}
	return (struct problem){PROBLEM_UNAUTHORIZED, why};
}

/* ---- Origins ---- */

bool access_is_listed(const struct auth_settings *settings, struct text origin)
{
	const struct word_list *origins = &settings->origins;

	for (size_t i = 0; i < origins->count; i++)
		if (text_is(origin, origins->words[i]))
			return true;
	return false;
}

/* The default ports of http and https may be left out (RFC 6454 section 4). */
static struct text without_default_port(struct text host)
{
	static const char *const ports[] = {":443", ":80"};

	for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++) {
		size_t size = strlen(ports[i]);

		if (host.size > size &&
		    memcmp(host.data + host.size - size, ports[i], size) == 0)
			return (struct text){host.data, host.size - size};
	}
	return host;
}

/* Whether an origin names the request's host. Schemes are not compared: TLS may end
 * at nginx or before it. */
static bool is_same_host(struct text origin, struct text host)
{
	size_t at = 0;

	while (at + 3 <= origin.size && memcmp(origin.data + at, "://", 3) != 0)
		at++;
	at += 3;
	if (at >= origin.size)
		return false;
	origin = without_default_port(
		(struct text){origin.data + at, origin.size - at});
	host = without_default_port(host);
	return origin.size == host.size &&
	       strncasecmp(origin.data, host.data, host.size) == 0;
}

/* Browsers send cookies with the requests of any site's page, and a form needs no
 * preflight. Only the browser can set Sec-Fetch-Site and Origin. A request with
 * neither does not come from a current browser. */
static bool is_from_foreign_page(const struct auth_settings *settings,
                                 const struct credentials *credentials)
{
	struct text origin = credentials->origin, site = credentials->fetch_site;

	if (access_is_listed(settings, origin))
		return false;
	if (site.size > 0)
		return !text_is(site, "same-origin") && !text_is(site, "none");
	return origin.size > 0 && !is_same_host(origin, credentials->host);
}

void access_add_cors(const struct auth_settings *settings, struct text origin,
                     struct buffer *headers)
{
	if (settings->origins.count == 0)
		return;
	buffer_add_string(headers, "Vary: Origin\r\n");
	if (!access_is_listed(settings, origin))
		return;
	buffer_add_string(headers, "Access-Control-Allow-Origin: ");
	buffer_add_text(headers, origin);
	buffer_add_string(headers,
	                  "\r\nAccess-Control-Allow-Credentials: true\r\n"
	                  "Access-Control-Expose-Headers: ETag, Link, Location, "
	                  "RateLimit-Limit, RateLimit-Remaining, "
	                  "RateLimit-Reset, Retry-After, WWW-Authenticate\r\n");
}

void access_add_preflight(const char *methods, struct buffer *headers)
{
	buffer_add_string(headers, "Access-Control-Allow-Methods: ");
	buffer_add_string(headers, methods);
	buffer_add_string(headers,
	                  "\r\nAccess-Control-Allow-Headers: Authorization, "
	                  "Content-Type, Idempotency-Key, If-None-Match, "
	                  "Last-Event-ID\r\n"
	                  "Access-Control-Max-Age: 600\r\n");
}

/* ---- The decision ---- */

bool access_may(const struct auth_settings *settings, const struct grant *grant,
                const struct room_name *room, enum access_right right)
{
	if (settings->mode == AUTH_OPEN)
		return true;
	if (right == ACCESS_WRITE)
		return identity_may_write(grant->identity, room);
	return identity_may_read(grant->identity, room) ||
	       pattern_list_matches(&settings->anonymous_read,
	                            room->string);
}

bool access_may_read_all(const struct auth_settings *settings,
                         const struct grant *grant)
{
	return settings->mode == AUTH_OPEN ||
	       identity_may_read_all(grant->identity) ||
	       pattern_list_matches_all(&settings->anonymous_read);
}

static struct problem take_credentials(struct access *access,
                                       const struct auth_settings *settings,
                                       const struct credentials *credentials,
                                       const struct moment *now,
                                       struct grant *grant)
{
	if (settings->mode == AUTH_TOKEN) {
		struct text token = find_given_token(settings, credentials, grant);

		return token.size > 0 ? take_token(access, settings, token,
		                                   credentials->proof, now,
		                                   grant)
		                      : fine;
	}
	/* The site may have identified the user by a cookie. */
	grant->is_by_cookie = true;
	return take_from_nginx(credentials, grant);
}

static const char no_token[] =
	"there is no token: send it as Authorization: Bearer TOKEN";

/* The detail says what is missing from the request. */
static struct problem not_identified(const struct auth_settings *settings)
{
	return (struct problem){PROBLEM_UNAUTHORIZED,
	                        settings->mode == AUTH_TOKEN
	                        ? no_token
	                        : "the request is unauthenticated: log in at "
	                          "the site first"};
}

static const char *lacks(enum access_right right)
{
	return right == ACCESS_READ ? "you have no right to read this room"
	                            : "you have no right to write to this room";
}

struct problem access_lacking(const struct auth_settings *settings,
                              const struct grant *grant, const char *detail)
{
	return grant->identity->is_known
	               ? (struct problem){PROBLEM_FORBIDDEN, detail}
	               : not_identified(settings);
}

static struct problem check_right(const struct auth_settings *settings,
                                  const struct credentials *credentials,
                                  const struct room_name *room,
                                  enum access_right right,
                                  const struct grant *grant)
{
	if (!access_may(settings, grant, room, right))
		return access_lacking(settings, grant, lacks(right));
	if (right == ACCESS_WRITE && grant->is_by_cookie &&
	    is_from_foreign_page(settings, credentials))
		return (struct problem){PROBLEM_FORBIDDEN,
		                        "cross-site request refused: the "
		                        "page's origin is not in auth.origins"};
	return fine;
}

struct problem access_identify(struct access *access,
                               const struct auth_settings *settings,
                               const struct credentials *credentials,
                               const struct moment *now, struct grant *grant)
{
	*grant = nothing;
	if (settings->mode == AUTH_OPEN)
		return fine;
	struct problem wrong =
		take_credentials(access, settings, credentials, now, grant);
	if (credentials->proof != NULL)
		access_drop_proof(access, credentials->proof);
	if (wrong.type != PROBLEM_NONE)
		access_release_grant(grant);
	return wrong;
}

struct problem access_ask(struct access *access, const struct auth_settings *settings,
                          const struct credentials *credentials,
                          const struct room_name *room, enum access_right right,
                          const struct moment *now, struct grant *grant)
{
	struct problem wrong =
		access_identify(access, settings, credentials, now, grant);

	if (wrong.type != PROBLEM_NONE || grant->unverified.size > 0)
		return wrong;
	wrong = check_right(settings, credentials, room, right, grant);
	if (wrong.type != PROBLEM_NONE)
		access_release_grant(grant);
	return wrong;
}

void access_prove(struct access *access, struct text token,
                  struct token_proof *proof)
{
	token_cache_prove(access->tokens, token, proof);
}

void access_drop_proof(struct access *access, struct token_proof *proof)
{
	token_cache_drop(access->tokens, proof);
}

bool access_is_current(struct access *access, const struct token_proof *proof)
{
	return token_cache_is_current(access->tokens, proof);
}

bool access_identify_by_token(struct access *access, struct text token,
                              const struct moment *now, struct grant *grant)
{
	struct token_entry *entry = token_cache_find(access->tokens, token, now);

	*grant = nothing;
	if (entry == NULL)
		return false;
	take_entry(entry, grant);
	return true;
}

void access_add_challenge(const struct auth_settings *settings,
                          struct problem problem, struct buffer *headers)
{
	if (problem_status(problem.type) != 401)
		return;
	/* With mode = nginx the site defines how to log in. The scheme is one that
	 * makes no browser ask for a password. */
	if (settings->mode != AUTH_TOKEN) {
		buffer_add_string(headers,
		                  "WWW-Authenticate: Site realm=\"longroom\"\r\n");
		return;
	}
	buffer_add_string(headers, "WWW-Authenticate: Bearer realm=\"longroom\"");
	/* RFC 6750 section 3.1: no error code unless there was a token. */
	if (problem.detail != no_token)
		buffer_add_string(headers, ", error=\"invalid_token\"");
	if (problem.type == PROBLEM_TOKEN_EXPIRED)
		buffer_add_string(headers, ", error_description=\"expired\"");
	buffer_add_string(headers, "\r\n");
}
