/* The users with requests under way. Each such request has a reference to its user,
 * so limits.user_polls and limits.user_reads bound the reference count.
 *
 * Users without references are freed, except for the USERS_IDLE_MAX that lost their
 * last reference most recently: they come back with the next poll. */
#ifndef LONGROOM_USERS_H
#define LONGROOM_USERS_H

#include <stdint.h>

#include "base/list.h"
#include "base/text.h"

enum { USERS_IDLE_MAX = 10000, USERS_SLOTS = 16384 };

struct user {
	struct user *next; /* in its slot */
	struct list idle;  /* in users.idle while refcount is 0 */
	size_t refcount;
	size_t polls; /* waiting polls; in longroom-pushd only */
	size_t slot;
	size_t size;
	char id[];
};

struct users {
	struct user **slots; /* NULL: no user yet */
	struct list idle;    /* longest idle first */
	size_t idle_count;
	uint64_t seed;
};

void users_init(struct users *users);
/* Call when no references are left. */
void users_release(struct users *users);

/* Returns a reference; the caller drops it. users_unref() of NULL does nothing. */
struct user *users_ref(struct users *users, struct text id);
void users_unref(struct users *users, struct user *user);

#endif
