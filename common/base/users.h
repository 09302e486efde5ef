/* The users of whom something is under way: holders are so many requests
 * (limits.user_polls, limits.user_reads).
 *
 * A user whom nobody holds is forgotten; the most recent USERS_IDLE_MAX of those
 * are kept a while, for they come back with the next poll. */
#ifndef LONGROOM_USERS_H
#define LONGROOM_USERS_H

#include <stdint.h>

#include "base/list.h"
#include "base/text.h"

enum { USERS_IDLE_MAX = 10000, USERS_SLOTS = 16384 };

struct user {
	struct user *next; /* in its slot */
	struct list idle;  /* in users.idle while nobody holds it */
	size_t holders;
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
/* When nobody holds any. */
void users_release(struct users *users);

/* Returns a user to be given back. */
struct user *users_hold(struct users *users, struct text id);
void users_give_back(struct users *users, struct user *user);

#endif
