/* A byte string that grows. Builders for JSON and frames write into it.
 *
 * {0} is an empty one. data is NULL until something was added; it is not
 * NUL-terminated. */
#ifndef LONGROOM_BUFFER_H
#define LONGROOM_BUFFER_H

#include <stdint.h>

#include "base/text.h"

struct buffer {
	char *data;
	size_t size;
	size_t capacity; /* bytes allocated */
};

void buffer_release(struct buffer *b);

/* Empties it and keeps the memory. */
void buffer_clear(struct buffer *b);

/* Grows it so that `more` bytes can be written at data + size. */
char *buffer_reserve(struct buffer *b, size_t more);

/* Inline, as the length of most strings is known when this is compiled. */
static inline void buffer_add(struct buffer *b, const void *data, size_t size)
{
	if (size == 0)
		return;
	if (b->capacity - b->size < size)
		buffer_reserve(b, size);
	memcpy(b->data + b->size, data, size);
	b->size += size;
}

static inline void buffer_add_text(struct buffer *b, struct text text)
{
	buffer_add(b, text.data, text.size);
}

static inline void buffer_add_string(struct buffer *b, const char *string)
{
	buffer_add(b, string, strlen(string));
}

void buffer_add_integer(struct buffer *b, int64_t number);

/* For short and rare texts: headers, problems. */
void buffer_printf(struct buffer *b, const char *format, ...)
#if defined(__GNUC__)
	__attribute__((format(printf, 2, 3)))
#endif
	;

/* Adds text as a JSON string with its quotes (RFC 8259 section 7). Bytes that
 * are not UTF-8 become U+FFFD each, so what comes out is always valid. */
void buffer_add_json(struct buffer *b, struct text text);

struct text buffer_text(const struct buffer *b);

#endif
