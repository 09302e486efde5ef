/* Tests of what counts and identifies users: longroom-history's token buckets,
 * longroom-pushd's users and heads of requests. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/users.h"
#include "http/request_head.h"
#include "verbs/buckets.h"

/* ---- Buckets ---- */

enum { SECOND = 1000000, START = 5000000 };

static const struct bucket_rule rule = {.rate = 10, .burst = 3};

static void a_bucket_has_its_burst_and_fills(void **state)
{
	struct buckets *buckets = buckets_new();
	struct bucket *bucket = buckets_find(buckets, text_of("ann"), START);

	(void)state;
	for (int left = 3; left > 0; left--) {
		struct bucket_state is = bucket_look(bucket, rule, START);

		assert_true(is.has_one);
		assert_int_equal(is.remaining, left);
		assert_int_equal(is.wait_us, 0);
		assert_int_equal(is.full_us, (3 - left) * SECOND / 10);
		bucket_take(bucket, rule, START);
	}
	struct bucket_state empty = bucket_look(bucket, rule, START);
	assert_false(empty.has_one);
	assert_int_equal(empty.remaining, 0);
	assert_int_equal(empty.wait_us, SECOND / 10);
	assert_false(bucket_look(bucket, rule, START + SECOND / 10 - 1).has_one);
	assert_true(bucket_look(bucket, rule, START + SECOND / 10).has_one);
	assert_int_equal(bucket_look(bucket, rule, START + SECOND).remaining, 3);
	buckets_free(buckets);
}

static void a_bucket_without_a_limit_has_always_one(void **state)
{
	static const struct bucket_rule none = {.rate = 0, .burst = 1};
	struct buckets *buckets = buckets_new();
	struct bucket *bucket = buckets_find(buckets, text_of("ann"), START);

	(void)state;
	for (int i = 0; i < 1000; i++)
		bucket_take(bucket, none, START);
	assert_true(bucket_look(bucket, none, START).has_one);
	buckets_free(buckets);
}

static void names_have_buckets_of_their_own(void **state)
{
	static const char longest[BUCKET_NAME_MAX] = "x";
	struct buckets *buckets = buckets_new();
	struct text name = {longest, sizeof longest};

	(void)state;
	struct bucket *ann = buckets_find(buckets, text_of("ann"), START);
	for (int i = 0; i < 3; i++)
		bucket_take(ann, rule, START);
	assert_true(bucket_look(buckets_find(buckets, name, START), rule, START)
	                    .has_one);
	assert_ptr_equal(buckets_find(buckets, text_of("ann"), START), ann);
	assert_false(bucket_look(ann, rule, START).has_one);
	buckets_free(buckets);
}

/* A bucket in use stays while names without end come by. */
static void many_names_evict_no_bucket_in_use(void **state)
{
	struct buckets *buckets = buckets_new();
	char name[32];

	(void)state;
	struct bucket *ann = buckets_find(buckets, text_of("ann"), START);
	for (int i = 0; i < 3; i++)
		bucket_take(ann, rule, START);
	for (int i = 0; i < 4 * BUCKETS_MAX; i++) {
		snprintf(name, sizeof name, "%d", i);
		buckets_find(buckets, text_of(name), START);
	}
	ann = buckets_find(buckets, text_of("ann"), START);
	assert_false(bucket_look(ann, rule, START).has_one);
	buckets_free(buckets);
}

/* ---- Users ---- */

static void users_are_found_again(void **state)
{
	struct users users;

	(void)state;
	users_init(&users);
	struct user *ann = users_ref(&users, text_of("ann"));
	struct user *bob = users_ref(&users, text_of("bob"));
	assert_ptr_not_equal(ann, bob);
	assert_ptr_equal(users_ref(&users, text_of("ann")), ann);
	assert_int_equal(ann->refcount, 2);
	users_unref(&users, ann);
	assert_int_equal(users.idle_count, 0);
	users_unref(&users, ann);
	assert_int_equal(users.idle_count, 1);
	/* Back before it is forgotten. */
	assert_ptr_equal(users_ref(&users, text_of("ann")), ann);
	assert_int_equal(users.idle_count, 0);
	users_unref(&users, ann);
	users_unref(&users, bob);
	users_unref(&users, NULL);
	users_release(&users);
}

static void idle_users_are_forgotten(void **state)
{
	struct users users;
	char name[32];

	(void)state;
	users_init(&users);
	struct user *ann = users_ref(&users, text_of("ann"));
	ann->polls = 1;
	for (int i = 0; i < USERS_IDLE_MAX + 1000; i++) {
		snprintf(name, sizeof name, "%d", i);
		users_unref(&users, users_ref(&users, text_of(name)));
		assert_true(users.idle_count <= USERS_IDLE_MAX);
	}
	/* Not a referenced user. */
	struct user *again = users_ref(&users, text_of("ann"));
	assert_ptr_equal(again, ann);
	assert_int_equal(again->polls, 1);
	users_unref(&users, ann);
	users_unref(&users, ann);
	users_release(&users);
	assert_int_equal(users.idle_count, 0);
}

/* ---- Heads ---- */

static void add_header(struct request_head *head, const char *name,
                       const char *value, size_t piece)
{
	for (size_t i = 0; i < strlen(name); i += piece)
		request_head_add_name(
			head, (struct text){name + i,
	                                    strnlen(name + i, piece)});
	/* An empty value is an empty piece. */
	if (value[0] == '\0')
		request_head_add_value(head, text_of(""));
	for (size_t i = 0; i < strlen(value); i += piece)
		request_head_add_value(
			head, (struct text){value + i,
	                                    strnlen(value + i, piece)});
}

static void a_head_is_read_in_pieces(void **state)
{
	struct request_head head = {0};

	(void)state;
	for (size_t piece = 1; piece < 40; piece++) {
		request_head_clear(&head);
		request_head_add_target(&head, text_of("/rooms/"));
		request_head_add_target(&head, text_of("a/poll"));
		add_header(&head, "Host", "a", piece);
		add_header(&head, "LONGROOM-USER-ID", "ann", piece);
		add_header(&head, "Longroom-User-Ids", "x", piece);
		add_header(&head, "Longroom-User-I", "x", piece);
		add_header(&head, "X-Longroom-Username-And-A-Long-Rest", "x",
		           piece);
		add_header(&head, "Longroom_Username", "x", piece);
		add_header(&head, "cookie", "a=b; c=d", piece);
		add_header(&head, "Origin", "", piece);
		assert_text(request_head_part(&head, HEAD_TARGET),
		            "/rooms/a/poll");
		assert_text(request_head_part(&head, HEAD_USER_ID), "ann");
		assert_text(request_head_part(&head, HEAD_COOKIE),
		            "a=b; c=d");
		assert_int_equal(request_head_part(&head, HEAD_USERNAME).size, 0);
		assert_int_equal(request_head_part(&head, HEAD_ORIGIN).size, 0);
		assert_false(head.is_ambiguous);
	}
	buffer_release(&head.bytes);
}

static void a_duplicate_header_is_reported(void **state)
{
	struct request_head head = {0};

	(void)state;
	add_header(&head, "Accept", "a", 9);
	add_header(&head, "Accept", "b", 9);
	assert_false(head.is_ambiguous);
	add_header(&head, "Authorization", "", 9);
	add_header(&head, "authorization", "b", 9);
	assert_true(head.is_ambiguous);
	request_head_clear(&head);
	assert_false(head.is_ambiguous);
	assert_int_equal(request_head_part(&head, HEAD_AUTHORIZATION).size, 0);
	buffer_release(&head.bytes);
}

int run_limits(void)
{
	const struct CMUnitTest tests[] = {
		TEST("a bucket has its burst, and refills",
	             a_bucket_has_its_burst_and_fills),
		TEST("a bucket without a limit always has a token",
	             a_bucket_without_a_limit_has_always_one),
		TEST("each name has a bucket of its own",
	             names_have_buckets_of_their_own),
		TEST("many names evict no bucket in use",
	             many_names_evict_no_bucket_in_use),
		TEST("a user is found again while referenced, and for a while "
	             "after",
	             users_are_found_again),
		TEST("unreferenced users are forgotten in the end",
	             idle_users_are_forgotten),
		TEST("the head of a request is parsed in pieces of any size",
	             a_head_is_read_in_pieces),
		TEST("a duplicate of a significant header is reported",
	             a_duplicate_header_is_reported),
	};

	return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
