/* Finds text that needs no escaping in a JSON string (RFC 8259 section 7). Most text
 * is of this kind, so 8 bytes are checked at once. Inline, because it runs for every
 * string that is read or written. */
#ifndef LONGROOM_PLAIN_H
#define LONGROOM_PLAIN_H

#include <stdint.h>

#include "base/text.h"

/* Whether 8 bytes are ASCII, and none is a control character, a quote, or a
 * backslash. */
static inline bool plain_are_eight(const char *data)
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

/* Returns the number of such bytes at the beginning of a text. */
static inline size_t plain_length(struct text text)
{
	size_t size = 0;

	while (text.size - size >= 8 && plain_are_eight(text.data + size))
		size += 8;
	while (size < text.size && (unsigned char)text.data[size] >= 0x20 &&
	       (unsigned char)text.data[size] < 0x80 &&
	       text.data[size] != '"' && text.data[size] != '\\')
		size++;
	return size;
}

#endif
