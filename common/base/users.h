/* The users of whom something is under way. Each request under way has a reference,
 * so the reference count is what limits.user_polls and limits.user_reads bound.
 *
 * A user without references is forgotten; the USERS_IDLE_MAX that lost their last
 * one most recently are kept a while, for they come back with the next poll. */
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
	size_t polls; /* that wait; longroom-pushd's */
	size_t slot;
	size_t size;
	char id[];
};

struct users {
	struct user **slots; /* NULL: there was none yet */
	struct list idle;    /* longest idle first */
	size_t idle_count;
	uint64_t seed;
};

void users_init(struct users *users);
/* When there are no references. */
void users_release(struct users *users);

/* Returns a reference, which the caller drops; unref of NULL does nothing. */
struct user *users_ref(struct users *users, struct text id);
void users_unref(struct users *users, struct user *user);

#endif
