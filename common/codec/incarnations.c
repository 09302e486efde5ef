#include "codec/incarnations.h"

#include <stdlib.h>

#include "base/memory.h"

void incarnations_release(struct incarnations *list)
{
	free(list->entries);
	*list = (struct incarnations){0};
}

void incarnations_clear(struct incarnations *list)
{
	list->count = 0;
}

void incarnations_add(struct incarnations *list, uint32_t tag, int64_t began)
{
	if (list->count == list->room) {
		list->room = list->room > 0 ? 2 * list->room : 4;
		list->entries = memory_resize(
			list->entries, list->room * sizeof *list->entries);
	}
	list->entries[list->count++] = (struct incarnation){tag, began};
}

void incarnations_copy(struct incarnations *to, const struct incarnations *from)
{
	incarnations_clear(to);
	for (size_t i = 0; i < from->count; i++)
		incarnations_add(to, from->entries[i].tag,
		                 from->entries[i].began);
}

bool incarnations_end_with(const struct incarnations *list, uint32_t tag)
{
	return list->count > 0 && list->entries[list->count - 1].tag == tag;
}

/* From the newest on: nearly all cursors are of that one. */
enum standing incarnations_judge(const struct incarnations *list,
                                 const struct cursor *cursor)
{
	bool passed = false;

	if (!cursor->names_log)
		return STANDING_GOOD;
	for (size_t i = list->count; i-- > 0;) {
		const struct incarnation *entry = &list->entries[i];

		if (entry->tag == cursor->log)
			return passed ? STANDING_PASSED : STANDING_GOOD;
		passed = passed || cursor->id > entry->began;
	}
	return STANDING_UNKNOWN;
}
