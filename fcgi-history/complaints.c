#include "complaints.h"

#include <string.h>

bool complaints_may_tell(struct complaints *complaints,
                         const struct room_name *room, int64_t now_ms,
                         int64_t *untold)
{
	size_t free_slot = COMPLAINTS_ROOMS;

	for (size_t i = 0; i < COMPLAINTS_ROOMS; i++) {
		if (complaints->told[i].quiet_until_ms <= now_ms) {
			free_slot = i;
		} else if (strcmp(complaints->told[i].room.string,
		                  room->string) == 0) {
			complaints->untold++;
			return false;
		}
	}
	if (free_slot == COMPLAINTS_ROOMS) {
		complaints->untold++;
		return false;
	}
	complaints->told[free_slot].room = *room;
	complaints->told[free_slot].quiet_until_ms = now_ms + COMPLAINTS_QUIET_MS;
	*untold = complaints->untold;
	complaints->untold = 0;
	return true;
}
