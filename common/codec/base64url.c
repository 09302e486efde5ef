#include "codec/base64url.h"

static const char alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static bool read_digit(char c, uint32_t *bits)
{
	const char *digit = c != '\0' ? strchr(alphabet, c) : NULL;

	if (digit == NULL)
		return false;
	*bits = *bits << 6 | (uint32_t)(digit - alphabet);
	return true;
}

void base64url_encode(struct text bytes, struct buffer *text)
{
	uint32_t bits = 0;
	unsigned int count = 0; /* of bits that are not written yet */

	for (size_t i = 0; i < bytes.size; i++) {
		bits = bits << 8 | (unsigned char)bytes.data[i];
		for (count += 8; count >= 6; count -= 6)
			buffer_add(text, &alphabet[bits >> (count - 6) & 63], 1);
		bits &= (1u << count) - 1;
	}
	if (count > 0)
		buffer_add(text, &alphabet[bits << (6 - count) & 63], 1);
}

bool base64url_decode(struct text text, struct buffer *bytes)
{
	char *to = buffer_reserve(bytes, text.size / 4 * 3 + 3);
	uint32_t bits = 0;
	unsigned int count = 0; /* of bits that are not written yet */

	for (size_t i = 0; i < text.size; i++) {
		if (!read_digit(text.data[i], &bits))
			return false;
		count += 6;
		if (count < 8)
			continue;
		count -= 8;
		*to++ = (char)(bits >> count);
		bits &= (1u << count) - 1;
		bytes->size++;
	}
	/* 6 bits are less than a byte, and the bits after the last byte are zero. */
	return count < 6 && bits == 0;
}
