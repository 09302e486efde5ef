#include "memory.h"

#include <stdlib.h>
#include <string.h>

#include "journal.h"

static void *there(void *memory)
{
	if (memory == NULL) {
		journal_error("out of memory");
		abort();
	}
	return memory;
}

void *memory_get(size_t size)
{
	return there(calloc(1, size > 0 ? size : 1));
}

void *memory_resize(void *old, size_t size)
{
	return there(realloc(old, size > 0 ? size : 1));
}

char *memory_copy(const char *data, size_t size)
{
	char *copy = memory_get(size + 1);

	if (size > 0)
		memcpy(copy, data, size);
	return copy;
}
