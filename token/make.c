#include "make.h"

#include <stdio.h>
#include <stdlib.h>

#include "auth/token.h"
#include "base/clock.h"
#include "base/journal.h"
#include "base/utf8.h"
#include "base/exit_status.h"

static void add_member(struct buffer *json, const char *name, const char *value)
{
	buffer_add_json(json, text_of(name));
	buffer_add_string(json, ":");
	buffer_add_json(json, text_of(value));
	buffer_add_string(json, ",");
}

/* Leaves out values that are empty or absent. */
static void add_optional(struct buffer *json, const char *name, const char *value)
{
	if (value != NULL && value[0] != '\0')
		add_member(json, name, value);
}

static void add_patterns(struct buffer *json, const char *name,
                         const struct word_list *patterns)
{
	buffer_add_json(json, text_of(name));
	buffer_add_string(json, ":[");
	for (size_t i = 0; i < patterns->count; i++) {
		buffer_add_string(json, i > 0 ? "," : "");
		buffer_add_json(json, text_of(patterns->words[i]));
	}
	buffer_add_string(json, "]");
}

static void add_rights(struct buffer *json, const struct options *options)
{
	buffer_add_json(json, text_of(options->settings.auth.claim));
	buffer_add_string(json, ":{");
	add_optional(json, "sender_type", options->type);
	add_patterns(json, "read", &options->read);
	buffer_add_string(json, ",");
	add_patterns(json, "write", &options->write);
	buffer_add_string(json, "}");
}

static void add_claims(struct buffer *json, const struct options *options,
                       int64_t now_s)
{
	buffer_add_string(json, "{");
	add_member(json, "sub", options->user);
	add_optional(json, "name", options->name);
	add_optional(json, "aud", options->settings.auth.audience);
	add_optional(json, "iss", options->settings.auth.issuer);
	buffer_add_string(json, "\"iat\":");
	buffer_add_integer(json, now_s);
	buffer_add_string(json, ",\"exp\":");
	buffer_add_integer(json, now_s + options->for_ms / 1000);
	buffer_add_string(json, ",");
	add_rights(json, options);
	buffer_add_string(json, "}");
}

static bool would_be_taken(struct text claims,
                           const struct auth_settings *settings,
                           int64_t now_s)
{
	struct identity identity;
	int64_t expires_s;
	const char *why;

	if (token_judge_claims(claims, settings, now_s, &identity, &expires_s,
	                       &why) != TOKEN_GOOD) {
		journal_error("Longroom would not accept this token: %s", why);
		return false;
	}
	identity_release(&identity);
	return true;
}

static bool sign_claims(const struct options *options, const struct key *key,
                        struct text claims, struct buffer *token)
{
	const char *usual = key_usual_algorithm(key);
	const char *algorithm =
		options->algorithm != NULL ? options->algorithm : usual;

	if (!key_is_for(key, algorithm)) {
		journal_error("%s: this key signs %s, not %s: change --algorithm",
		              options->key, usual, algorithm);
		return false;
	}
	if (!token_sign(key, algorithm, options->kid, claims, token)) {
		journal_error("%s: can't sign with it", options->key);
		return false;
	}
	if (token->size > TOKEN_MAX) {
		journal_error("Longroom would not accept this token: it is longer "
		              "than 8 KiB");
		return false;
	}
	return true;
}

static bool make_with(const struct options *options, const struct key *key)
{
	int64_t now_s = clock_wall_ms() / 1000;
	struct buffer claims = {0}, token = {0};

	add_claims(&claims, options, now_s);
	bool good = would_be_taken(buffer_text(&claims),
	                           &options->settings.auth, now_s) &&
	            sign_claims(options, key, buffer_text(&claims), &token);
	if (good)
		printf("%.*s\n", TEXT_ARGS(buffer_text(&token)));
	buffer_release(&claims);
	buffer_release(&token);
	return good;
}

int make(const struct options *options)
{
	struct buffer error = {0};
	struct key key;

	if (options->key == NULL || options->user == NULL) {
		journal_error("make needs --key and --user");
		return EXIT_USAGE;
	}
	if (options->kid != NULL && !utf8_valid(text_of(options->kid))) {
		journal_error("--kid: '%s' is not UTF-8", options->kid);
		return EXIT_FAILURE;
	}
	if (!keyring_read_signer(options->key, &key, &error)) {
		journal_error("%.*s", TEXT_ARGS(buffer_text(&error)));
		buffer_release(&error);
		return EXIT_FAILURE;
	}
	bool good = make_with(options, &key);
	key_release(&key);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
