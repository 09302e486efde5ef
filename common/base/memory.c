#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/journal.h"

/* Exits without a core file: this is no bug of the program. */
void memory_give_up(size_t size)
{
	journal_error("out of memory allocating %zu bytes: check ulimit -v and "
	              "MemoryMax=", size);
	_exit(EXIT_FAILURE);
}

static void *there(void *memory, size_t size)
{
	if (memory == NULL)
		memory_give_up(size);
	return memory;
}

void *memory_get(size_t size)
{
	return there(calloc(1, size > 0 ? size : 1), size);
}

void *memory_resize(void *old, size_t size)
{
	return there(realloc(old, size > 0 ? size : 1), size);
}

char *memory_copy(const char *data, size_t size)
{
	char *copy = memory_get(size + 1);

	if (size > 0)
		memcpy(copy, data, size);
	return copy;
}
