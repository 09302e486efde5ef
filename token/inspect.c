#include "inspect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/token.h"
#include "base/clock.h"
#include "base/journal.h"
#include "codec/json_value.h"

/* ---- The token ---- */

/* Reads one byte more than is allowed, even after white space, so that input that is
 * too long is noticed. */
enum { INPUT_MAX = 2 * TOKEN_MAX };

static bool read_input(struct buffer *bytes)
{
	ssize_t got;

	do {
		got = read(STDIN_FILENO, buffer_reserve(bytes, 4096), 4096);
		if (got > 0)
			bytes->size += (size_t)got;
	} while (got > 0 && bytes->size <= INPUT_MAX);
	if (got < 0)
		journal_error("standard input: %s", strerror(errno));
	return got >= 0;
}

static struct text trim(struct text text)
{
	static const char space[] = {' ', '\t', '\r', '\n'};

	while (text.size > 0 && memchr(space, text.data[0], sizeof space)) {
		text.data++;
		text.size--;
	}
	while (text.size > 0 &&
	       memchr(space, text.data[text.size - 1], sizeof space))
		text.size--;
	return text;
}

/* ---- What it says ---- */

/* Escapes the control characters that JSON allows unescaped: anyone may have made
 * the token, and the output goes to a terminal. */
static void print_json(struct text json)
{
	for (size_t i = 0; i < json.size; i++) {
		unsigned char c = (unsigned char)json.data[i];
		unsigned char next = i + 1 < json.size
		                             ? (unsigned char)json.data[i + 1]
		                             : 0;

		if (c == 0x7f)
			printf("\\u007f");
		else if (c == 0xc2 && next < 0xa0)
			printf("\\u00%02x", (unsigned int)json.data[++i] & 0xff);
		else
			putchar(c);
	}
}

/* "2026-11-22T06:02:00Z" */
static void print_date(int64_t time_s)
{
	static const int64_t end_s = INT64_C(253402300799); /* of the year 9999 */
	char date[CLOCK_TEXT_SIZE];

	clock_text((time_s < end_s ? time_s : end_s) * 1000, date);
	printf("%.19sZ", date);
}

static bool is_time(struct text name, const struct json_value *value,
                    int64_t *time_s)
{
	return (text_is(name, "exp") || text_is(name, "nbf") ||
	        text_is(name, "iat")) &&
	       json_value_whole(value, time_s) && *time_s >= 0;
}

static void print_member(struct text name, const struct json_value *value)
{
	struct buffer json = {0};
	int64_t time_s;

	buffer_add_json(&json, name);
	buffer_add_string(&json, ": ");
	json_value_render(value, &json);
	printf("  ");
	print_json(buffer_text(&json));
	if (is_time(name, value, &time_s)) {
		printf("  ");
		print_date(time_s);
	}
	putchar('\n');
	buffer_release(&json);
}

static void print_part(const char *title, struct text part)
{
	struct buffer name = {0}, string = {0};
	struct json_reader reader;
	struct json_value value;

	puts(title);
	if (part.size == 0) {
		puts("  can't be read");
		return;
	}
	json_value_open(part, &reader);
	while (json_member_next(&reader, &name, &value, &string))
		print_member(buffer_text(&name), &value);
	buffer_release(&name);
	buffer_release(&string);
}

/* ---- The verdict ---- */

/* Without keys, only the claims are judged. */
static enum token_verdict judge_input(const struct keyring *keyring,
                                      const struct settings *settings,
                                      struct text token, bool has_header,
                                      struct text claims, int64_t *expires_s,
                                      const char **why)
{
	int64_t now_s = clock_wall_ms() / 1000;
	struct identity identity;
	enum token_verdict verdict;

	if (keyring->count > 0 || !has_header)
		verdict = token_verify(keyring, &settings->auth, token,
		                       now_s, &identity, expires_s, why);
	else
		verdict = token_judge_claims(claims, &settings->auth, now_s,
		                             &identity, expires_s, why);
	identity_release(&identity);
	return verdict;
}

static int print_verdict(enum token_verdict verdict, bool is_checked,
                         int64_t expires_s, const char *why)
{
	if (verdict != TOKEN_GOOD) {
		printf("refused: %s\n", why);
		return EXIT_FAILURE;
	}
	if (!is_checked) {
		puts("not checked: auth.keys is empty, so anyone may have made "
		     "this token");
		return EXIT_FAILURE;
	}
	printf("good: Longroom accepts it until ");
	print_date(expires_s);
	putchar('\n');
	return EXIT_SUCCESS;
}

static int inspect_token(const struct keyring *keyring,
                         const struct settings *settings, struct text token)
{
	struct buffer header = {0}, claims = {0};
	int64_t expires_s = 0;
	const char *why = "auth.mode is not token";
	enum token_verdict verdict = TOKEN_BAD;

	token_read(token, &header, &claims);
	print_part("header", buffer_text(&header));
	print_part("claims", buffer_text(&claims));
	if (settings->file == NULL || settings->auth.mode == AUTH_TOKEN)
		verdict = judge_input(keyring, settings, token, header.size > 0,
		                      buffer_text(&claims), &expires_s, &why);
	buffer_release(&header);
	buffer_release(&claims);
	return print_verdict(verdict, keyring->count > 0, expires_s, why);
}

int inspect(const struct options *options)
{
	struct buffer input = {0}, error = {0};
	struct text token = text_of(options->word);
	struct keyring *keyring = keyring_read(&options->settings.auth, &error);
	int status = EXIT_FAILURE;

	if (keyring == NULL) {
		journal_error("%.*s", TEXT_ARGS(buffer_text(&error)));
		buffer_release(&error);
		return EXIT_FAILURE;
	}
	if (options->word != NULL || read_input(&input)) {
		if (options->word == NULL)
			token = buffer_text(&input);
		status = inspect_token(keyring, &options->settings, trim(token));
	}
	buffer_release(&input);
	keyring_free(keyring);
	return status;
}
