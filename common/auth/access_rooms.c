#include "auth/access_rooms.h"

#include <stdlib.h>

#include "base/memory.h"

static const struct problem fine = {PROBLEM_NONE, NULL};

static bool may_read(const struct auth_settings *settings, const struct grant *grant,
                     const struct room_name *room)
{
	return access_may(settings, grant, room, ACCESS_READ);
}

/* Returns how many of the first rooms may be read before one that may not. */
static size_t count_allowed(const struct auth_settings *settings,
                            const struct grant *grant,
                            const struct room_list *rooms)
{
	size_t count = 0;

	while (count < rooms->count &&
	       may_read(settings, grant, &rooms->names[count]))
		count++;
	return count;
}

/* Returns how many are allowed. */
static size_t move_forbidden_back(const struct auth_settings *settings,
                                  const struct grant *grant,
                                  struct room_list *rooms)
{
	size_t allowed = count_allowed(settings, grant, rooms), moved = 0;
	struct room_name *forbidden;

	if (allowed == rooms->count)
		return allowed;
	forbidden = memory_get((rooms->count - allowed) * sizeof *forbidden);
	for (size_t i = allowed; i < rooms->count; i++) {
		const struct room_name *name = &rooms->names[i];

		if (may_read(settings, grant, name))
			rooms->names[allowed++] = *name;
		else
			forbidden[moved++] = *name;
	}
	memcpy(rooms->names + allowed, forbidden, moved * sizeof *forbidden);
	free(forbidden);
	return allowed;
}

static struct problem check_all(const struct auth_settings *settings,
                                const struct grant *grant)
{
	return access_may_read_all(settings, grant)
	               ? fine
	               : access_lacking(settings, grant,
	                                "you have no right to read every room");
}

static struct problem check_several(const struct auth_settings *settings,
                                    const struct grant *grant,
                                    struct room_list *rooms, size_t *allowed)
{
	*allowed = move_forbidden_back(settings, grant, rooms);
	return *allowed > 0
	               ? fine
	               : access_lacking(settings, grant,
	                                "you have no right to read any of these "
	                                "rooms");
}

struct problem access_rooms_ask(struct access *access,
                                const struct auth_settings *settings,
                                const struct credentials *credentials,
                                struct room_list *rooms, size_t *allowed,
                                const struct moment *now, struct grant *grant)
{
	struct problem wrong;

	*allowed = rooms->count;
	if (!rooms->is_several)
		return access_ask(access, settings, credentials, rooms->names,
		                  ACCESS_READ, now, grant);
	wrong = access_identify(access, settings, credentials, now, grant);
	if (wrong.type != PROBLEM_NONE || grant->unverified.size > 0)
		return wrong;
	wrong = rooms->is_all ? check_all(settings, grant)
	                      : check_several(settings, grant, rooms, allowed);
	if (wrong.type != PROBLEM_NONE)
		access_release_grant(grant);
	return wrong;
}
