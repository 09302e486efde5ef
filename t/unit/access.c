/* Tests of the rights to the rooms of one request, in all three modes. */
#include "unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "auth/access_rooms.h"
#include "base/memory.h"

enum { NOW_S = 1700000000, LIMIT = 100 };

static const struct moment now = {100000, INT64_C(1000) * NOW_S};
static const char secret[] = "a secret of no less than 32 bytes, one";

struct guarded {
	char *folder, *key_path;
	struct settings settings;
	struct access *access;
	struct key key;
};

static void set(struct guarded *g, const char *name, const char *value)
{
	struct buffer assignment = {0}, error = {0};

	buffer_printf(&assignment, "%s=%s", name, value);
	buffer_add(&assignment, "", 1);
	expect(settings_override(&g->settings, assignment.data, &error), "%s",
	       assignment.data);
	buffer_release(&assignment);
	buffer_release(&error);
}

static void start_in(struct guarded *g, const char *mode)
{
	struct buffer error = {0};

	access_free(g->access);
	set(g, "auth.mode", mode);
	set(g, "auth.anonymous_read", "");
	g->access = access_new(&g->settings.auth, &error);
	expect(g->access != NULL, "%.*s", TEXT_ARGS(buffer_text(&error)));
	buffer_release(&error);
}

static int set_up(void **state)
{
	struct guarded *g = memory_get(sizeof *g);
	const char *why;

	g->folder = folder_make();
	g->key_path = path_in(g->folder, "key");
	file_write(g->key_path, text_of(secret));
	chmod(g->key_path, 0600);
	assert_true(key_from_secret(text_of(secret), &g->key, &why));
	settings_init(&g->settings);
	set(g, "auth.keys", g->key_path);
	*state = g;
	return 0;
}

static int tear_down(void **state)
{
	struct guarded *g = *state;

	access_free(g->access);
	key_release(&g->key);
	settings_release(&g->settings);
	folder_remove(g->folder);
	free(g->key_path);
	free(g);
	return 0;
}

/* Adds "Bearer " and a token with the right to read these, a JSON array. */
static void add_bearer(const struct guarded *g, const char *read, int64_t exp_s,
                       struct buffer *header)
{
	struct buffer claims = {0};

	buffer_printf(&claims,
	              "{\"sub\":\"1\",\"exp\":%" PRId64
	              ",\"longroom\":{\"read\":%s}}",
	              exp_s, read);
	buffer_add_string(header, "Bearer ");
	assert_true(token_sign(&g->key, "HS256", NULL, buffer_text(&claims),
	                       header));
	buffer_release(&claims);
}

/* ---- Asking ---- */

/* As both programs do: an unknown token is verified, then they ask again. */
static struct problem ask(const struct guarded *g, struct credentials credentials,
                          struct room_list *rooms, size_t *allowed,
                          struct grant *grant)
{
	struct problem wrong = access_rooms_ask(g->access, &g->settings.auth,
	                                        &credentials, rooms, allowed,
	                                        &now, grant);
	struct token_proof proof;

	if (wrong.type != PROBLEM_NONE || grant->unverified.size == 0)
		return wrong;
	access_prove(g->access, grant->unverified, &proof);
	credentials.proof = &proof;
	return access_rooms_ask(g->access, &g->settings.auth, &credentials,
	                        rooms, allowed, &now, grant);
}

/* What comes of it: the rooms allowed | those forbidden, "*" for all, or the
 * status and detail. */
static void describe(struct problem wrong, const struct room_list *rooms,
                     size_t allowed, struct buffer *b)
{
	if (wrong.type != PROBLEM_NONE) {
		buffer_printf(b, "%d %s", problem_status(wrong.type),
		              wrong.detail);
		return;
	}
	if (rooms->is_all)
		buffer_add_string(b, "*");
	room_list_render(rooms->names, allowed, b);
	buffer_add_string(b, "|");
	if (rooms->count > allowed)
		room_list_render(rooms->names + allowed,
		                 rooms->count - allowed, b);
}

static void check_answer(const struct guarded *g, struct credentials credentials,
                         const char *segment, const char *answer)
{
	struct room_list rooms;
	struct buffer found = {0};
	struct grant grant;
	size_t allowed;

	assert_int_equal(room_list_parse(text_of(segment), LIMIT, &rooms).type,
	                 PROBLEM_NONE);
	struct problem wrong = ask(g, credentials, &rooms, &allowed, &grant);
	describe(wrong, &rooms, allowed, &found);
	expect(text_is(buffer_text(&found), answer), "%s: '%.*s', not '%s'",
	       segment, TEXT_ARGS(buffer_text(&found)), answer);
	if (wrong.type == PROBLEM_NONE)
		access_release_grant(&grant);
	room_list_release(&rooms);
	buffer_release(&found);
}

#define LOG_IN "401 the request is unauthenticated: log in at the site first"
#define NO_TOKEN "401 there is no token: send it as Authorization: Bearer TOKEN"
#define NO_RIGHT "403 you have no right to read this room"
#define NONE_OF "403 you have no right to read any of these rooms"
#define NOT_ALL "403 you have no right to read every room"

/* One row for both modes that identify: NULL as `read`: unauthenticated. */
static const struct {
	const char *open_to_all, *read, *segment, *answer;
} rows[] = {
	{"", "a", "a", "\"a\"|"},
	{"", "a", "b", NO_RIGHT},
	{"", "a b", "a,b", "\"a\",\"b\"|"},
	{"", "a b", "b,a", "\"b\",\"a\"|"},
	{"", "a", "a,b", "\"a\"|\"b\""},
	{"", "b", "a,b", "\"b\"|\"a\""},
	{"", "b d", "a,b,c,d,e", "\"b\",\"d\"|\"a\",\"c\",\"e\""},
	{"", "a c e", "e,d,c,b,a", "\"e\",\"c\",\"a\"|\"d\",\"b\""},
	{"", "team_*", "team_1,x,team_2", "\"team_1\",\"team_2\"|\"x\""},
	{"", "a", "b,c", NONE_OF},
	{"", "", "b,c", NONE_OF},
	{"", "*", "b,c", "\"b\",\"c\"|"},
	{"", "*", "*", "*|"},
	{"", "a ***", "*", "*|"},
	{"", "a", "*", NOT_ALL},
	{"", "?*", "*", NOT_ALL},
	{"", "*?", "*", NOT_ALL},
	{"", "room_* team_*", "*", NOT_ALL},
	{"", "", "*", NOT_ALL},
	{"news", "a", "a,news,b", "\"a\",\"news\"|\"b\""},
	{"news", "", "b,news", "\"news\"|\"b\""},
	{"news", "", "*", NOT_ALL},
	{"*", "", "*", "*|"},
	{"*", "a", "b,c", "\"b\",\"c\"|"},
	{"", NULL, "a", "401"},
	{"", NULL, "a,b", "401"},
	{"", NULL, "*", "401"},
	{"news", NULL, "*", "401"},
	{"news", NULL, "a,b", "401"},
	{"news", NULL, "news", "\"news\"|"},
	{"news", NULL, "a,news", "\"news\"|\"a\""},
	{"news info", NULL, "info,news", "\"info\",\"news\"|"},
	{"*", NULL, "a,b", "\"a\",\"b\"|"},
	{"*", NULL, "*", "*|"},
	{"news **", NULL, "*", "*|"},
};

static void nginx_identifies_for_several(void **state)
{
	struct guarded *g = *state;

	start_in(g, "nginx");
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct credentials credentials = {0};
		bool is_401 = strcmp(rows[i].answer, "401") == 0;

		set(g, "auth.anonymous_read", rows[i].open_to_all);
		credentials.read = text_of(rows[i].read);
		if (rows[i].read != NULL)
			credentials.user_id = text_of("1");
		check_answer(g, credentials, rows[i].segment,
		             is_401 ? LOG_IN : rows[i].answer);
	}
}

/* Adds the words as a JSON array. */
static void add_array(const char *text, struct buffer *b)
{
	struct word_list words = {0};

	word_list_add(&words, text);
	buffer_add_string(b, "[");
	for (size_t i = 0; i < words.count; i++)
		buffer_printf(b, "%s\"%s\"", i > 0 ? "," : "", words.words[i]);
	buffer_add_string(b, "]");
	buffer_add(b, "", 1);
	word_list_release(&words);
}

static void a_token_identifies_for_several(void **state)
{
	struct guarded *g = *state;

	start_in(g, "token");
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct credentials credentials = {0};
		struct buffer array = {0}, header = {0};
		bool is_401 = strcmp(rows[i].answer, "401") == 0;

		set(g, "auth.anonymous_read", rows[i].open_to_all);
		if (rows[i].read != NULL) {
			add_array(rows[i].read, &array);
			add_bearer(g, array.data, NOW_S + 1000, &header);
			credentials.authorization = buffer_text(&header);
		}
		check_answer(g, credentials, rows[i].segment,
		             is_401 ? NO_TOKEN : rows[i].answer);
		buffer_release(&array);
		buffer_release(&header);
	}
}

static void open_mode_allows_all(void **state)
{
	static const char *const segments[][2] = {
		{"a", "\"a\"|"}, {"b,a", "\"b\",\"a\"|"}, {"*", "*|"}};
	struct guarded *g = *state;

	start_in(g, "open");
	for (size_t i = 0; i < LENGTH(segments); i++)
		check_answer(g, (struct credentials){0}, segments[i][0],
		             segments[i][1]);
}

static void wrong_credentials_open_nothing(void **state)
{
	static const char *const segments[] = {"news", "news,a", "*"};
	struct guarded *g = *state;
	struct buffer expired = {0};
	struct credentials with_expired = {0};
	struct credentials with_bad = {.authorization = text_of("Bearer x.y.z")};
	struct credentials without_id = {.read = text_of("*")};
	struct credentials with_bad_id = {.user_id = text_of("%"),
	                                  .read = text_of("*")};

	add_bearer(g, "[\"*\"]", NOW_S - 1000, &expired);
	with_expired.authorization = buffer_text(&expired);
	for (size_t i = 0; i < LENGTH(segments); i++) {
		struct room_list rooms;
		struct grant grant;
		size_t allowed;

		room_list_parse(text_of(segments[i]), LIMIT, &rooms);
		start_in(g, "token");
		set(g, "auth.anonymous_read", "*");
		assert_int_equal(
			ask(g, with_bad, &rooms, &allowed, &grant).type,
			PROBLEM_UNAUTHORIZED);
		assert_int_equal(
			ask(g, with_expired, &rooms, &allowed, &grant).type,
			PROBLEM_TOKEN_EXPIRED);
		start_in(g, "nginx");
		assert_int_equal(
			ask(g, without_id, &rooms, &allowed, &grant).type,
			PROBLEM_UNAUTHORIZED);
		set(g, "auth.anonymous_read", "*");
		assert_int_equal(
			ask(g, with_bad_id, &rooms, &allowed, &grant).type,
			PROBLEM_FORBIDDEN);
		room_list_release(&rooms);
	}
	buffer_release(&expired);
}

/* ---- By a token alone ---- */

static void a_known_token_identifies_its_user(void **state)
{
	static const char *const readable[] = {"a", "b", "news"};
	const struct room_name other = room_named("c");
	struct guarded *g = *state;
	struct buffer header = {0};
	struct credentials credentials = {0};
	struct grant grant;

	start_in(g, "token");
	set(g, "auth.anonymous_read", "news");
	add_bearer(g, "[\"a\",\"b\"]", NOW_S + 1000, &header);
	credentials.authorization = buffer_text(&header);
	struct text token = {header.data + 7, header.size - 7};
	assert_false(access_identify_by_token(g->access, token, &now, &grant));
	check_answer(g, credentials, "a,b", "\"a\",\"b\"|");
	assert_true(access_identify_by_token(g->access, token, &now, &grant));
	assert_string_equal(grant.identity->user_id, "1");
	for (size_t i = 0; i < LENGTH(readable); i++) {
		struct room_name room = room_named(readable[i]);

		expect(access_may(&g->settings.auth, &grant, &room, ACCESS_READ),
		       "%s", readable[i]);
	}
	assert_false(access_may(&g->settings.auth, &grant, &other, ACCESS_READ));
	assert_false(access_may_read_all(&g->settings.auth, &grant));
	set(g, "auth.anonymous_read", "*");
	assert_true(access_may_read_all(&g->settings.auth, &grant));
	access_release_grant(&grant);
	buffer_release(&header);
}

/* The room's own answer: a list of one is no list. */
static void a_list_of_one_is_answered_as_its_room(void **state)
{
	static const char *const readers[] = {"a", "b", "", NULL};
	const struct room_name room = room_named("a");
	struct guarded *g = *state;

	start_in(g, "nginx");
	for (size_t i = 0; i < LENGTH(readers); i++) {
		struct credentials credentials = {.read = text_of(readers[i])};
		struct buffer answer = {0};
		struct grant grant;

		if (readers[i] != NULL)
			credentials.user_id = text_of("1");
		struct problem wrong = access_ask(
			g->access, &g->settings.auth, &credentials, &room,
			ACCESS_READ, &now, &grant);
		if (wrong.type == PROBLEM_NONE)
			access_release_grant(&grant);
		buffer_printf(&answer, "%d %s", problem_status(wrong.type),
		              wrong.type != PROBLEM_NONE ? wrong.detail : "");
		buffer_add(&answer, "", 1);
		check_answer(g, credentials, "a",
		             wrong.type == PROBLEM_NONE ? "\"a\"|"
		                                        : answer.data);
		buffer_release(&answer);
	}
}

#define GUARDED(title, function) TEST_WITH(title, function, set_up, tear_down, NULL)

int run_access(void)
{
	static const struct CMUnitTest tests[] = {
		GUARDED("of several rooms, nginx's user may read those of "
	                "their list, and the open ones",
	                nginx_identifies_for_several),
		GUARDED("of several rooms, a token's user may read those of "
	                "their claim, and the open ones",
	                a_token_identifies_for_several),
		GUARDED("with auth.mode = open every room may be read",
	                open_mode_allows_all),
		GUARDED("wrong credentials are refused even for open rooms",
	                wrong_credentials_open_nothing),
		GUARDED("a known token identifies its user without being "
		        "verified again",
	                a_known_token_identifies_its_user),
		GUARDED("a list of one room is answered as the room itself",
	                a_list_of_one_is_answered_as_its_room),
	};

	return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}
