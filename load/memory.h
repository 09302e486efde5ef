/* Allocation that never fails: out of memory, the program exits, since its
 * measurements would mean nothing. */
#ifndef LONGROOM_LOAD_MEMORY_H
#define LONGROOM_LOAD_MEMORY_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

static inline void *load_there(void *memory)
{
	if (memory == NULL) {
		fputs("longroom-load: out of memory\n", stderr);
		exit(2);
	}
	return memory;
}

/* Returns zeroed memory, caller frees. */
static inline void *load_get(size_t count, size_t size)
{
	return load_there(calloc(count > 0 ? count : 1, size));
}

/* Like realloc(). Returns, caller frees. */
static inline void *load_resize(void *old, size_t size)
{
	return load_there(realloc(old, size > 0 ? size : 1));
}

#endif
