#include "base/users.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/memory.h"

void users_init(struct users *users)
{
	*users = (struct users){0};
	list_init(&users->idle);
	users->seed = hash_seed();
}

static void forget_oldest(struct users *users)
{
	struct user *user = LIST_OWNER(users->idle.next, struct user, idle);
	struct user **at = &users->slots[user->slot];

	while (*at != user)
		at = &(*at)->next;
	*at = user->next;
	list_remove(&user->idle);
	users->idle_count--;
	free(user);
}

void users_release(struct users *users)
{
	while (users->idle_count > 0)
		forget_oldest(users);
	free(users->slots);
	users->slots = NULL;
}

static struct user *user_new(struct text id, size_t slot)
{
	struct user *user = memory_get(sizeof *user + id.size);

	list_init(&user->idle);
	user->slot = slot;
	user->size = id.size;
	memcpy(user->id, id.data, id.size);
	return user;
}

struct user *users_ref(struct users *users, struct text id)
{
	size_t slot = hash_place(users->seed, id, USERS_SLOTS);
	struct user *user;

	if (users->slots == NULL)
		users->slots = memory_get(USERS_SLOTS * sizeof(struct user *));
	user = users->slots[slot];
	while (user != NULL &&
	       !text_equal(id, (struct text){user->id, user->size}))
		user = user->next;
	if (user == NULL) {
		user = user_new(id, slot);
		user->next = users->slots[slot];
		users->slots[slot] = user;
	} else if (user->refcount == 0) {
		list_remove(&user->idle);
		users->idle_count--;
	}
	user->refcount++;
	return user;
}

void users_unref(struct users *users, struct user *user)
{
	if (user == NULL || --user->refcount > 0)
		return;
	list_append(&users->idle, &user->idle);
	if (++users->idle_count > USERS_IDLE_MAX)
		forget_oldest(users);
}
