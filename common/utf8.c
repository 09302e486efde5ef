#include "utf8.h"

#include <stdint.h>

static bool continues(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

size_t utf8_length(const char *data, size_t size)
{
	const unsigned char *s = (const unsigned char *)data;

	if (size >= 1 && s[0] < 0x80)
		return 1;
	if (size >= 2 && s[0] >= 0xc2 && s[0] <= 0xdf && continues(s[1]))
		return 2;
	if (size >= 3 && (s[0] & 0xf0) == 0xe0 && continues(s[1]) &&
	    continues(s[2])) {
		bool overlong = s[0] == 0xe0 && s[1] < 0xa0;
		bool surrogate = s[0] == 0xed && s[1] >= 0xa0;
		return overlong || surrogate ? 0 : 3;
	}
	if (size >= 4 && s[0] >= 0xf0 && s[0] <= 0xf4 && continues(s[1]) &&
	    continues(s[2]) && continues(s[3])) {
		bool overlong = s[0] == 0xf0 && s[1] < 0x90;
		bool too_high = s[0] == 0xf4 && s[1] >= 0x90;
		return overlong || too_high ? 0 : 4;
	}
	return 0;
}

static bool are_ascii(const char *data)
{
	uint64_t word;

	memcpy(&word, data, sizeof word);
	return (word & 0x8080808080808080) == 0;
}

bool utf8_valid(struct text text)
{
	while (text.size > 0) {
		size_t length = text.size >= 8 && are_ascii(text.data)
		                        ? 8
		                        : utf8_length(text.data, text.size);

		if (length == 0)
			return false;
		text.data += length;
		text.size -= length;
	}
	return true;
}

static uint32_t code_point(const char *data, size_t length)
{
	static const unsigned char first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t point = (unsigned char)data[0] & first_bits[length];

	for (size_t i = 1; i < length; i++)
		point = point << 6 | ((unsigned char)data[i] & 0x3f);
	return point;
}

/* Unicode's PropList.txt, White_Space; and U+FEFF, which editors leave at the
 * start of a file and JavaScript's trim() takes away too. */
static bool is_white(uint32_t point)
{
	return (point >= 0x09 && point <= 0x0d) || point == 0x20 ||
	       point == 0x85 || point == 0xa0 || point == 0x1680 ||
	       (point >= 0x2000 && point <= 0x200a) || point == 0x2028 ||
	       point == 0x2029 || point == 0x202f || point == 0x205f ||
	       point == 0x3000 || point == 0xfeff;
}

static size_t last_length(struct text text)
{
	size_t length = 1;

	while (length < text.size && length < 4 &&
	       continues((unsigned char)text.data[text.size - length]))
		length++;
	return length;
}

struct text utf8_trim(struct text text)
{
	while (text.size > 0) {
		size_t length = utf8_length(text.data, text.size);

		if (length == 0 || !is_white(code_point(text.data, length)))
			break;
		text.data += length;
		text.size -= length;
	}
	while (text.size > 0) {
		size_t length = last_length(text);
		const char *last = text.data + text.size - length;

		if (!is_white(code_point(last, length)))
			break;
		text.size -= length;
	}
	return text;
}

bool utf8_has_control(struct text text)
{
	while (text.size > 0) {
		size_t length = utf8_length(text.data, text.size);
		uint32_t point = code_point(text.data, length);

		if (point < 0x20 || (point >= 0x7f && point <= 0x9f))
			return true;
		text.data += length;
		text.size -= length;
	}
	return false;
}
