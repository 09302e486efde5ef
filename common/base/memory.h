/* Allocation that never fails: out of memory, the process exits here, in one place.
 *
 * A daemon without memory can neither keep its promises nor answer with an error.
 * The service manager starts it again, with the log as it was. So no caller checks
 * for NULL. */
#ifndef LONGROOM_MEMORY_H
#define LONGROOM_MEMORY_H

#include <stddef.h>

/* Returns zeroed memory, caller frees with free(). */
void *memory_get(size_t size);

/* Like realloc(). Returns, caller frees. */
void *memory_resize(void *old, size_t size);

/* Returns a copy of size bytes with a NUL behind them, caller frees. */
char *memory_copy(const char *data, size_t size);

/* Ends the process: for callers whose own allocation of `size` bytes failed. */
_Noreturn void memory_give_up(size_t size);

#endif
