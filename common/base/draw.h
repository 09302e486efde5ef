/* Numbers that nobody can guess, from the kernel. */
#ifndef LONGROOM_DRAW_H
#define LONGROOM_DRAW_H

#include <stddef.h>
#include <stdint.h>

/* Fills at most 256 bytes. */
void draw_bytes(void *bytes, size_t size);

uint32_t draw_number(void);

/* From 0 to most - 1; most is 1 to 2^32. */
int64_t draw_below(int64_t most);

#endif
