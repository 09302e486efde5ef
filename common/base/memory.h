/* Memory that is either there or ends the process.
 *
 * A daemon that is out of memory can't keep its promises and can't say so
 * either; it ends in one place, here, and is started again with the log as it
 * was. So no caller checks for NULL.
 */
#ifndef LONGROOM_MEMORY_H
#define LONGROOM_MEMORY_H

#include <stddef.h>

/* Returns zeroed memory, caller frees with free(). */
void *memory_get(size_t size);

/* As realloc(). Returns, caller frees. */
void *memory_resize(void *old, size_t size);

/* Returns a copy of size bytes with a NUL behind them, caller frees. */
char *memory_copy(const char *data, size_t size);

/* Ends the process, for those who got so much from elsewhere, or not. */
_Noreturn void memory_give_up(size_t size);

#endif
