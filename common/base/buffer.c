#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/plain.h"
#include "base/utf8.h"

enum { SMALLEST = 256 };

void buffer_release(struct buffer *b)
{
	free(b->data);
	*b = (struct buffer){0};
}

void buffer_clear(struct buffer *b)
{
	b->size = 0;
}

char *buffer_reserve(struct buffer *b, size_t more)
{
	size_t capacity = b->capacity > 0 ? b->capacity : SMALLEST;

	if (b->data == NULL || b->capacity - b->size < more) {
		while (capacity - b->size < more)
			capacity *= 2;
		b->data = memory_resize(b->data, capacity);
		b->capacity = capacity;
	}
	return b->data + b->size;
}

void buffer_add_integer(struct buffer *b, int64_t number)
{
	char digits[sizeof "-9223372036854775808"];
	char *first = digits + sizeof digits;
	/* Unsigned, for the negation of INT64_MIN overflows. */
	uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

	do {
		*--first = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (number < 0)
		*--first = '-';
	buffer_add(b, first, (size_t)(digits + sizeof digits - first));
}

void buffer_printf(struct buffer *b, const char *format, ...)
{
	va_list arguments;
	int size;

	va_start(arguments, format);
	size = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (size < 0)
		return;
	va_start(arguments, format);
	vsnprintf(buffer_reserve(b, (size_t)size + 1), (size_t)size + 1, format,
	          arguments);
	va_end(arguments);
	b->size += (size_t)size;
}

static void add_escaped(struct buffer *b, unsigned char c)
{
	static const char short_names[] = "btnvfr"; /* from 0x08 */

	if (c == '"' || c == '\\')
		buffer_add(b, (char[]){'\\', (char)c}, 2);
	else if (c >= 0x08 && c <= 0x0d && c != 0x0b)
		buffer_add(b, (char[]){'\\', short_names[c - 0x08]}, 2);
	else
		buffer_printf(b, "\\u%04x", c);
}

void buffer_add_json(struct buffer *b, struct text text)
{
	/* NULL + 0 is undefined. */
	const char *at = text.size > 0 ? text.data : "";
	const char *end = at + text.size, *unwritten = at;

	buffer_reserve(b, text.size + 2);
	buffer_add(b, "\"", 1);
	for (;;) {
		at += plain_length((struct text){at, (size_t)(end - at)});
		if (at == end)
			break;
		unsigned char c = (unsigned char)*at;
		size_t length = c < 0x80 ? 0 : utf8_length(at, (size_t)(end - at));
		if (length > 0) {
			at += length;
			continue;
		}
		buffer_add(b, unwritten, (size_t)(at - unwritten));
		if (c < 0x80)
			add_escaped(b, c);
		else
			buffer_add_string(b, "\xef\xbf\xbd");
		unwritten = ++at;
	}
	buffer_add(b, unwritten, (size_t)(at - unwritten));
	buffer_add(b, "\"", 1);
}

struct text buffer_text(const struct buffer *b)
{
	return (struct text){b->data, b->size};
}
