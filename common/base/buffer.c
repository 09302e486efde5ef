#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
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
	size_t room = b->room > 0 ? b->room : SMALLEST;

	if (b->data == NULL || b->room - b->size < more) {
		while (room - b->size < more)
			room *= 2;
		b->data = memory_resize(b->data, room);
		b->room = room;
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

/* Whether 8 bytes go into a JSON string as they are: none is a control
 * character, a quote, a backslash, or beyond ASCII. Most of all text is such, and
 * this looks at 8 bytes for the price of two. */
static bool are_plain(const char *data)
{
	const uint64_t ones = 0x0101010101010101, highs = ones * 0x80;
	uint64_t word, quotes, backslashes;

	memcpy(&word, data, sizeof word);
	quotes = word ^ ones * '"';
	backslashes = word ^ ones * '\\';
	/* x - 1 borrows into the high bit where x is 0, and x - 0x20 where it is
	 * less; a borrow from the byte below can only say "look closer". */
	return ((word | (word - ones * 0x20) | (quotes - ones) |
	         (backslashes - ones)) & highs) == 0;
}

void buffer_add_json(struct buffer *b, struct text text)
{
	/* NULL + 0 is undefined. */
	const char *at = text.size > 0 ? text.data : "";
	const char *end = at + text.size, *plain = at;

	buffer_reserve(b, text.size + 2);
	buffer_add(b, "\"", 1);
	while (at < end) {
		unsigned char c = (unsigned char)*at;

		if (end - at >= 8 && are_plain(at)) {
			at += 8;
			continue;
		}
		if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
			at++;
			continue;
		}
		size_t length = c < 0x80 ? 0 : utf8_length(at, (size_t)(end - at));
		if (length > 0) {
			at += length;
			continue;
		}
		buffer_add(b, plain, (size_t)(at - plain));
		if (c < 0x80)
			add_escaped(b, c);
		else
			buffer_add_string(b, "\xef\xbf\xbd");
		plain = ++at;
	}
	buffer_add(b, plain, (size_t)(at - plain));
	buffer_add(b, "\"", 1);
}

struct text buffer_text(const struct buffer *b)
{
	return (struct text){b->data, b->size};
}
