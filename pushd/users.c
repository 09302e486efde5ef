#include "users.h"

#include <stdlib.h>
#include <sys/random.h>

#include "memory.h"

void users_init(struct users *users)
{
	*users = (struct users){0};
	list_init(&users->idle);
	/* Can't fail for so few bytes (getrandom(2)). */
	ssize_t ignored = getrandom(&users->seed, sizeof users->seed, 0);
	(void)ignored;
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

/* FNV-1a, mixed once more, from a number that nobody can guess. */
static size_t find_slot(const struct users *users, struct text id)
{
	uint64_t hash = 0xcbf29ce484222325u ^ users->seed;

	for (size_t i = 0; i < id.size; i++)
		hash = (hash ^ (unsigned char)id.data[i]) * 0x100000001b3u;
	hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93u;
	return (hash >> 32) % USERS_SLOTS;
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

struct user *users_hold(struct users *users, struct text id)
{
	size_t slot = find_slot(users, id);
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
	} else if (user->holders == 0) {
		list_remove(&user->idle);
		users->idle_count--;
	}
	user->holders++;
	return user;
}

void users_give_back(struct users *users, struct user *user)
{
	if (user == NULL || --user->holders > 0)
		return;
	list_append(&users->idle, &user->idle);
	if (++users->idle_count > USERS_IDLE_MAX)
		forget_oldest(users);
}
