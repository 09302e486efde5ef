/* Takes the framing off a chunked body, piece by piece as it comes. Pure.
 *
 * answer.c does so once a whole body is there; an event stream never is. */
#ifndef LONGROOM_LOAD_CHUNKS_H
#define LONGROOM_LOAD_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* {0} stands before the first chunk. */
struct chunks {
	uint64_t left; /* of the chunk at hand; its size so far, while it is read */
	uint8_t state; /* chunks.c */
};

/* Joins the body's bytes in these at their beginning; *size becomes how many there
 * are. False: this is not chunked. */
bool chunks_take(struct chunks *chunks, char *data, size_t *size);

/* The body is complete. */
bool chunks_are_over(const struct chunks *chunks);

#endif
