/* Tests of the encodings of tokens, and of the cache that remembers them. Which
 * tokens are valid is tested through the programs. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/token_cache.h"
#include "base/memory.h"
#include "codec/base64url.h"
#include "codec/json_value.h"

/* ---- base64url ---- */

static void expect_bytes(const char *text, const char *bytes)
{
	struct buffer got = {0};
	bool good = base64url_decode(text_of(text), &got);

	expect(good == (bytes != NULL), "'%s'", text);
	if (bytes != NULL)
		expect(text_is(buffer_text(&got), bytes), "'%s'", text);
	buffer_release(&got);
}

/* RFC 4648 section 10, without padding, and where the alphabets differ. */
static void base64url_is_that_of_the_standard(void **state)
{
	(void)state;
	expect_bytes("", "");
	expect_bytes("Zg", "f");
	expect_bytes("Zm8", "fo");
	expect_bytes("Zm9v", "foo");
	expect_bytes("Zm9vYg", "foob");
	expect_bytes("Zm9vYmE", "fooba");
	expect_bytes("Zm9vYmFy", "foobar");
	expect_bytes("-_-_", "\xfb\xff\xbf");
}

static void other_spellings_are_refused(void **state)
{
	static const char *const rows[] = {
		"Z", "Zg==", "Zm8=", "Zh", "Zm9", "Zm9vY", "+/+/", "Zm9v\n",
		" Zm9v", "Zm 9v", "Zm9v=", "Zm9\xc3", "=",
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++)
		expect_bytes(rows[i], NULL);
	struct buffer bytes = {0};
	assert_false(base64url_decode((struct text){"Zm\0v", 4}, &bytes));
	buffer_release(&bytes);
}

/* Of the characters that share a byte's bits, one is its proper last one. */
static void each_byte_has_one_spelling(void **state)
{
	struct buffer bytes = {0};
	int good = 0;

	(void)state;
	for (int first = 1; first < 128; first++) {
		for (int second = 1; second < 128; second++) {
			char text[] = {(char)first, (char)second};

			good += base64url_decode((struct text){text, 2}, &bytes);
			buffer_clear(&bytes);
		}
	}
	assert_int_equal(good, 256);
	buffer_release(&bytes);
}

/* ---- JSON ---- */

static bool is_taken(struct text text)
{
	struct buffer strings = {0};
	bool taken = json_object_read(text, NULL, 0, NULL, &strings);

	buffer_release(&strings);
	return taken;
}

static void strict_json_is_taken(void **state)
{
	static const char *const rows[] = {
		"{}", " {\"a\":1} ", "{\"a\":[],\"b\":{}}", "{\"\":null}",
		"{\"a\":-0.5e+10,\"b\":0}", "{\"a\":\"\\u00e4\\n\\/\\\"\"}",
		"{\"a\":{\"a\":1},\"b\":[{\"a\":1},{\"a\":2}]}",
		"{\"a\":\"\\\\u0000\"}", "{\"a\":true,\"A\":false}",
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++)
		expect(is_taken(text_of(rows[i])), "%s", rows[i]);
}

static void other_json_is_refused(void **state)
{
	static const char *const rows[] = {
		"", " ", "[]", "1", "null", "\"a\"", "{", "{}}", "{}{}", "{},",
		"{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "{a:1}", "{'a':1}",
		"{\"a\":01}", "{\"a\":1.}", "{\"a\":.1}", "{\"a\":+1}",
		"{\"a\":1e}", "{\"a\":-}", "{\"a\":NaN}", "{\"a\":Infinity}",
		"{\"a\":nul}", "{\"a\":TRUE}", "{\"a\":[1,]}", "{\"a\":[1 2]}",
		"{\"a\":\"\n\"}", "{\"a\":\"\\x\"}", "{\"a\":\"\\u12\"}",
		"{\"a\":\"", "{\"a\":\"\\", "{\"a\":\"\\u0000\"}",
		"{\"\\u0000\":1}", "{/**/}", "{}//", "{\"a\":\"\xff\"}",
		"\xef\xbb\xbf{}", "{\"a\":1,\"a\":1}", "{\"a\":1,\"\\u0061\":1}",
		"{\"a\":[{\"b\":1,\"b\":1}]}", "{\"\":1,\"\":1}",
		"{\"\\ud800\":1,\"\\ud801\":1}",
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++)
		expect(!is_taken(text_of(rows[i])), "%s", rows[i]);
	assert_false(is_taken((struct text){"{}\0", 3}));
	assert_false(is_taken((struct text){"{\"a\":\"\0\"}", 9}));
	assert_false(is_taken((struct text){NULL, 0}));
}

/* Bytes of an exact size, so that a sanitizer notices a read beyond. */
static void json_that_is_cut_off_is_refused(void **state)
{
	static const char whole[] =
		"{\"a\":[1,-2.5e-3,true,null,\"\\u00e4\"],\"b\":{\"c\":\"\"}}";

	(void)state;
	for (size_t size = 0; size < sizeof whole - 1; size++) {
		char *copy = malloc(size + 1);

		assert_non_null(copy);
		memmove(copy + 1, whole, size);
		expect(!is_taken((struct text){copy + 1, size}), "%zu", size);
		free(copy);
	}
	assert_true(is_taken(text_of(whole)));
}

static void json_is_as_deep_as_is_said(void **state)
{
	(void)state;
	for (size_t arrays = 30; arrays <= 33; arrays++) {
		struct buffer text = {0};

		buffer_add_string(&text, "{\"a\":");
		for (size_t i = 0; i < arrays; i++)
			buffer_add_string(&text, "[");
		for (size_t i = 0; i < arrays; i++)
			buffer_add_string(&text, "]");
		buffer_add_string(&text, "}");
		expect(is_taken(buffer_text(&text)) == (arrays < 32), "%zu",
		       arrays);
		buffer_release(&text);
	}
}

/* ---- The cache ---- */

enum { NOW_S = 1700000000, LATER_S = NOW_S + 1000 };

struct cached {
	struct settings settings;
	struct token_cache *cache;
	struct key key;
	int verified; /* how many signatures */
};

static void make_key(struct key *key, const char *secret)
{
	const char *why;

	assert_true(key_from_secret(text_of(secret), key, &why));
}

static struct keyring *keyring_with(const char *secret)
{
	struct keyring *keyring = memory_get(sizeof *keyring);

	keyring->keys = memory_get(sizeof *keyring->keys);
	keyring->count = 1;
	make_key(keyring->keys, secret);
	return keyring;
}

static const char one_secret[] = "a secret of no less than 32 bytes, one";
static const char other_secret[] = "a secret of no less than 32 bytes, other";

static int set_up_cache(void **state)
{
	struct cached *c = memory_get(sizeof *c);

	settings_init(&c->settings);
	c->settings.auth.clock_skew = 0;
	c->cache = token_cache_new(&c->settings.auth, keyring_with(one_secret));
	make_key(&c->key, one_secret);
	*state = c;
	return 0;
}

static int tear_down_cache(void **state)
{
	struct cached *c = *state;

	token_cache_free(c->cache);
	key_release(&c->key);
	settings_release(&c->settings);
	free(c);
	return 0;
}

static void make_token(const struct cached *c, int number, int64_t exp_s,
                       struct buffer *token)
{
	char claims[100];

	snprintf(claims, sizeof claims, "{\"sub\":\"%d\",\"exp\":%lld}", number,
	         (long long)exp_s);
	buffer_clear(token);
	assert_true(token_sign(&c->key, "HS256", NULL, text_of(claims), token));
}

/* By both clocks, each in seconds since NOW_S. NULL unless it is valid. */
static struct token_entry *ask_at(struct cached *c, const struct buffer *token,
                                  int64_t steady_s, int64_t wall_s,
                                  enum token_verdict verdict)
{
	const struct moment now = {1000 * (100 + steady_s),
	                           1000 * (NOW_S + wall_s)};
	const struct text text = buffer_text(token);
	struct token_entry *entry = NULL;
	const char *why = NULL;
	enum token_verdict found_so;

	if (!token_cache_recall(c->cache, &c->settings.auth, text, &now, &found_so,
	                        &entry, &why)) {
		struct token_proof proof;

		token_cache_prove(c->cache, text, &proof);
		found_so = token_cache_admit(c->cache, &c->settings.auth, text,
		                             &proof, &now, &entry, &why);
		c->verified++;
	}
	assert_int_equal(found_so, verdict);
	assert_true(verdict == TOKEN_GOOD || why != NULL);
	assert_true((entry != NULL) == (verdict == TOKEN_GOOD));
	struct token_entry *found =
		token_cache_find(c->cache, buffer_text(token), &now);
	assert_true(found == NULL || found == entry);
	if (found != NULL)
		token_cache_unref(found);
	return entry;
}

/* While the wall clock is not set. */
static struct token_entry *ask(struct cached *c, const struct buffer *token,
                               int64_t now_s, enum token_verdict verdict)
{
	return ask_at(c, token, now_s - NOW_S, now_s - NOW_S, verdict);
}

static void a_token_is_remembered(void **state)
{
	struct cached *c = *state;
	struct buffer token = {0};

	make_token(c, 1, LATER_S, &token);
	struct token_entry *first = ask(c, &token, NOW_S, TOKEN_GOOD);
	assert_string_equal(first->identity.user_id, "1");
	struct token_entry *again = ask(c, &token, NOW_S, TOKEN_GOOD);
	assert_ptr_equal(first, again);
	token_cache_unref(again);
	/* All of its bytes count. */
	token.data[0] ^= 1;
	ask(c, &token, NOW_S, TOKEN_BAD);
	token_cache_unref(first);
	buffer_release(&token);
}

static void it_is_until_it_expires(void **state)
{
	struct cached *c = *state;
	struct buffer token = {0};

	make_token(c, 1, LATER_S, &token);
	struct token_entry *entry = ask(c, &token, NOW_S, TOKEN_GOOD);
	token_cache_unref(ask(c, &token, LATER_S - 1, TOKEN_GOOD));
	ask(c, &token, LATER_S, TOKEN_EXPIRED);
	/* A request that holds it still does. */
	assert_string_equal(entry->identity.user_id, "1");
	token_cache_unref(entry);
	buffer_release(&token);
}

/* LATER_S is 1000 s away. */
static void it_is_until_the_first_clock_says_so(void **state)
{
	struct cached *c = *state;
	struct buffer token = {0};

	make_token(c, 1, LATER_S, &token);
	token_cache_unref(ask_at(c, &token, 0, 0, TOKEN_GOOD));
	/* The wall clock was set forward, and put right again. */
	ask_at(c, &token, 1, 1000, TOKEN_EXPIRED);
	token_cache_unref(ask_at(c, &token, 2, 2, TOKEN_GOOD));
	/* It was set back. */
	token_cache_unref(ask_at(c, &token, 999, -5000, TOKEN_GOOD));
	ask_at(c, &token, 1000, -4999, TOKEN_EXPIRED);
	ask_at(c, &token, 1000, 999, TOKEN_EXPIRED);
	buffer_release(&token);
}

static void other_keys_end_it(void **state)
{
	struct cached *c = *state;
	struct buffer token = {0};

	make_token(c, 1, LATER_S, &token);
	struct token_entry *entry = ask(c, &token, NOW_S, TOKEN_GOOD);
	token_cache_renew(c->cache, &c->settings.auth, keyring_with(other_secret));
	ask(c, &token, NOW_S, TOKEN_BAD);
	assert_string_equal(entry->identity.user_id, "1");
	assert_int_equal(entry->refcount, 1);
	token_cache_renew(c->cache, &c->settings.auth, keyring_with(one_secret));
	struct token_entry *fresh = ask(c, &token, NOW_S, TOKEN_GOOD);
	assert_ptr_not_equal(entry, fresh);
	token_cache_unref(entry);
	token_cache_unref(fresh);
	buffer_release(&token);
}

/* As requests may have them while they are replaced. */
static void what_is_good_by_other_settings_is_not_kept(void **state)
{
	struct cached *c = *state;
	struct auth_settings others = c->settings.auth;
	struct buffer token = {0};

	token_cache_renew(c->cache, &others, keyring_with(one_secret));
	make_token(c, 1, LATER_S, &token);
	struct token_entry *entry = ask(c, &token, NOW_S, TOKEN_GOOD);
	assert_int_equal(entry->refcount, 1);
	token_cache_unref(entry);
	buffer_release(&token);
}

/* The cache too holds each that is kept. */
static void there_are_so_many_at_the_most(void **state)
{
	enum { MOST = TOKEN_CACHE_SETS * TOKEN_CACHE_WAYS, COUNT = MOST + 2000 };
	struct cached *c = *state;
	struct token_entry **entries = memory_get(COUNT * sizeof(struct token_entry *));
	struct buffer token = {0};
	size_t kept = 0;

	for (int i = 0; i < COUNT; i++) {
		make_token(c, i, LATER_S + i, &token);
		entries[i] = ask(c, &token, NOW_S, TOKEN_GOOD);
		assert_int_equal(entries[i]->refcount, 2);
	}
	for (int i = 0; i < COUNT; i++) {
		kept += entries[i]->refcount == 2;
		token_cache_unref(entries[i]);
	}
	assert_true(kept <= MOST);
	/* The sets fill alike. */
	assert_true(kept > MOST / 2);
	free(entries);
	buffer_release(&token);
}

static void a_bad_token_is_verified_once(void **state)
{
	struct cached *c = *state;
	struct buffer token = {0};

	make_token(c, 1, LATER_S, &token);
	token.data[token.size - 9] ^= 1;
	for (int i = 0; i < 3; i++)
		ask(c, &token, NOW_S, TOKEN_BAD);
	assert_int_equal(c->verified, 1);
	/* One that differs in its first byte, and one in its last. */
	token.data[0] ^= 1;
	ask(c, &token, NOW_S, TOKEN_BAD);
	token.data[0] ^= 1;
	token.size--;
	ask(c, &token, NOW_S, TOKEN_BAD);
	assert_int_equal(c->verified, 3);
	/* With other keys it may be valid. */
	token_cache_renew(c->cache, &c->settings.auth, keyring_with(one_secret));
	ask(c, &token, NOW_S, TOKEN_BAD);
	assert_int_equal(c->verified, 4);
	buffer_release(&token);
}

/* Those too would cost a signature each time. */
static void a_genuine_token_that_is_refused_is_verified_once(void **state)
{
	struct cached *c = *state;
	struct buffer token = {0};
	char claims[100];

	make_token(c, 1, NOW_S - 1, &token);
	for (int i = 0; i < 3; i++)
		ask(c, &token, NOW_S, TOKEN_EXPIRED);
	assert_int_equal(c->verified, 1);
	snprintf(claims, sizeof claims, "{\"sub\":\"1\",\"exp\":%d,\"nbf\":%d}",
	         LATER_S, NOW_S + 10);
	buffer_clear(&token);
	assert_true(token_sign(&c->key, "HS256", NULL, text_of(claims), &token));
	ask(c, &token, NOW_S, TOKEN_BAD);
	ask(c, &token, NOW_S + 9, TOKEN_BAD);
	/* Its time has come. */
	struct token_entry *entry = ask(c, &token, NOW_S + 10, TOKEN_GOOD);
	assert_int_equal(entry->refcount, 2);
	token_cache_unref(ask(c, &token, NOW_S + 10, TOKEN_GOOD));
	assert_int_equal(c->verified, 2);
	token_cache_unref(entry);
	ask(c, &token, LATER_S, TOKEN_EXPIRED);
	assert_int_equal(c->verified, 2);
	buffer_release(&token);
}

static void refused_ones_take_no_more_than_is_said(void **state)
{
	struct cached *c = *state;
	struct buffer token = {0};

	for (int i = 0; i < 3 * TOKEN_CACHE_REFUSED; i++) {
		buffer_clear(&token);
		buffer_printf(&token, "x.y.%d", i);
		ask(c, &token, NOW_S, TOKEN_BAD);
	}
	assert_int_equal(c->verified, 3 * TOKEN_CACHE_REFUSED);
	while (token.size <= TOKEN_CACHE_REFUSED_MAX)
		buffer_add_string(&token, "xxxxxxxx");
	ask(c, &token, NOW_S, TOKEN_BAD);
	ask(c, &token, NOW_S, TOKEN_BAD);
	assert_int_equal(c->verified, 3 * TOKEN_CACHE_REFUSED + 2);
	/* A token that is too long is not even tried. */
	while (token.size <= TOKEN_MAX)
		buffer_add_string(&token, "xxxxxxxx");
	ask(c, &token, NOW_S, TOKEN_BAD);
	assert_int_equal(c->verified, 3 * TOKEN_CACHE_REFUSED + 2);
	buffer_release(&token);
}

/* As one that is being verified when SIGHUP comes. */
static void what_was_proven_with_other_keys_is_not_kept(void **state)
{
	static const struct moment now = {1000, 1000 * INT64_C(1700000000)};
	struct cached *c = *state;
	struct buffer token = {0};
	struct token_entry *entry;
	struct token_proof proof;
	const char *why;

	make_token(c, 1, LATER_S, &token);
	token_cache_renew(c->cache, &c->settings.auth, keyring_with(other_secret));
	for (int good = 0; good < 2; good++) {
		token_cache_prove(c->cache, buffer_text(&token), &proof);
		assert_true(token_cache_is_current(c->cache, &proof));
		token_cache_renew(c->cache, &c->settings.auth,
		                  keyring_with(good ? other_secret : one_secret));
		assert_false(token_cache_is_current(c->cache, &proof));
		enum token_verdict verdict = token_cache_admit(
			c->cache, &c->settings.auth, buffer_text(&token), &proof,
			&now, &entry, &why);
		assert_int_equal(verdict, good ? TOKEN_GOOD : TOKEN_BAD);
		if (entry != NULL)
			token_cache_unref(entry);
		c->verified = 0;
		entry = ask(c, &token, NOW_S, good ? TOKEN_BAD : TOKEN_GOOD);
		assert_int_equal(c->verified, 1);
		if (entry != NULL)
			token_cache_unref(entry);
	}
	buffer_release(&token);
}

#define CACHE_TEST(title, function)                                            \
	TEST_WITH(title, function, set_up_cache, tear_down_cache, NULL)

int run_tokens(void)
{
	const struct CMUnitTest tests[] = {
		TEST("base64url is as in RFC 4648",
	             base64url_is_that_of_the_standard),
		TEST("other encodings in base64url are refused",
	             other_spellings_are_refused),
		TEST("each byte has one encoding", each_byte_has_one_spelling),
		TEST("a JSON object is accepted", strict_json_is_taken),
		TEST("ambiguous JSON is refused", other_json_is_refused),
		TEST("truncated JSON is refused, and not read beyond its end",
	             json_that_is_cut_off_is_refused),
		TEST("JSON is nested no deeper than 32",
	             json_is_as_deep_as_is_said),
		CACHE_TEST("a token is remembered by all of its bytes",
	                   a_token_is_remembered),
		CACHE_TEST("a token is remembered until it expires",
	                   it_is_until_it_expires),
		CACHE_TEST("a token expires by the wall clock or the monotonic "
	                   "clock, whichever is first",
	                   it_is_until_the_first_clock_says_so),
		CACHE_TEST("other keys invalidate a token, but not for a "
	                   "request that holds it",
	                   other_keys_end_it),
		CACHE_TEST("a token accepted under replaced settings is not "
	                   "remembered",
	                   what_is_good_by_other_settings_is_not_kept),
		CACHE_TEST("a limited number of tokens is remembered",
	                   there_are_so_many_at_the_most),
		CACHE_TEST("a bad token is verified once",
	                   a_bad_token_is_verified_once),
		CACHE_TEST("a genuine token that is refused is verified once, "
	                   "until its time comes",
	                   a_genuine_token_that_is_refused_is_verified_once),
		CACHE_TEST("a limited number of refused tokens is remembered",
	                   refused_ones_take_no_more_than_is_said),
		CACHE_TEST("a token verified with replaced keys is not "
	                   "remembered",
	                   what_was_proven_with_other_keys_is_not_kept),
	};

	return cmocka_run_group_tests_name("tokens", tests, NULL, NULL);
}
