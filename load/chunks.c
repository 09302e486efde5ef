#include "chunks.h"

#include <string.h>

enum chunks_state {
	CHUNKS_SIZE_FIRST, /* before the size's first digit */
	CHUNKS_SIZE,
	CHUNKS_EXTENSION,  /* up to the end of the size's line */
	CHUNKS_DATA,
	CHUNKS_DATA_CR,    /* behind the data */
	CHUNKS_LF,         /* and behind that, to the next chunk */
	CHUNKS_TRAILER,    /* at the beginning of a line behind the last chunk */
	CHUNKS_IN_TRAILER,
	CHUNKS_OVER,
	CHUNKS_BAD,
};

#define CHUNK_MAX (UINT64_C(1) << 32)

/* 16 if it is none. */
static unsigned chunk_digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	c |= 'a' ^ 'A';
	return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;
}

static enum chunks_state take_size(struct chunks *chunks, char c)
{
	unsigned digit = chunk_digit(c);

	if (digit < 16 && chunks->left < CHUNK_MAX) {
		chunks->left = chunks->left * 16 + digit;
		return CHUNKS_SIZE;
	}
	if (chunks->state == CHUNKS_SIZE && (c == '\r' || c == ';'))
		return CHUNKS_EXTENSION;
	return CHUNKS_BAD;
}

/* One byte of the framing. */
static enum chunks_state take_framing(struct chunks *chunks, char c)
{
	switch ((enum chunks_state)chunks->state) {
	case CHUNKS_SIZE_FIRST:
	case CHUNKS_SIZE:
		return take_size(chunks, c);
	case CHUNKS_EXTENSION:
		if (c != '\n')
			return CHUNKS_EXTENSION;
		return chunks->left > 0 ? CHUNKS_DATA : CHUNKS_TRAILER;
	case CHUNKS_DATA_CR:
		return c == '\r' ? CHUNKS_LF : CHUNKS_BAD;
	case CHUNKS_LF:
		return c == '\n' ? CHUNKS_SIZE_FIRST : CHUNKS_BAD;
	case CHUNKS_TRAILER:
		if (c == '\n')
			return CHUNKS_OVER;
		return c == '\r' ? CHUNKS_TRAILER : CHUNKS_IN_TRAILER;
	case CHUNKS_IN_TRAILER:
		return c == '\n' ? CHUNKS_TRAILER : CHUNKS_IN_TRAILER;
	default:
		return CHUNKS_BAD; /* there is nothing behind the body */
	}
}

bool chunks_take(struct chunks *chunks, char *data, size_t *size)
{
	const char *at = data, *end = data + *size;

	*size = 0;
	while (at < end && chunks->state != CHUNKS_BAD) {
		if (chunks->state != CHUNKS_DATA) {
			chunks->state = (uint8_t)take_framing(chunks, *at++);
			continue;
		}
		size_t part = (size_t)(end - at);

		if (part > chunks->left)
			part = (size_t)chunks->left;
		memmove(data + *size, at, part);
		*size += part;
		at += part;
		chunks->left -= part;
		if (chunks->left == 0)
			chunks->state = CHUNKS_DATA_CR;
	}
	return chunks->state != CHUNKS_BAD;
}

bool chunks_are_over(const struct chunks *chunks)
{
	return chunks->state == CHUNKS_OVER;
}
