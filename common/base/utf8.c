#include "base/utf8.h"

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

struct range {
	uint32_t first, last;
};

static bool is_in(const struct range *ranges, size_t count, uint32_t point)
{
	for (size_t i = 0; i < count; i++)
		if (point >= ranges[i].first && point <= ranges[i].last)
			return true;
	return false;
}

/* Unicode's DerivedCoreProperties.txt, Default_Ignorable_Code_Point, and
 * U+2800, Braille without a dot. */
static bool is_invisible(uint32_t point)
{
	static const struct range ranges[] = {
		{0xad, 0xad},       {0x34f, 0x34f},     {0x61c, 0x61c},
		{0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x180b, 0x180f},
		{0x200b, 0x200f},   {0x202a, 0x202e},   {0x2060, 0x206f},
		{0x2800, 0x2800},   {0x3164, 0x3164},   {0xfe00, 0xfe0f},
		{0xfeff, 0xfeff},   {0xffa0, 0xffa0},   {0xfff0, 0xfff8},
		{0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
	};

	return point >= ranges[0].first &&
	       is_in(ranges, sizeof ranges / sizeof ranges[0], point);
}

static bool is_control(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point <= 0x9f);
}

/* Characters at which a terminal or viewer may end the line or reverse the text. */
static bool bends_line(uint32_t point)
{
	static const struct range ranges[] = {
		{0x61c, 0x61c},   {0x200e, 0x200f}, {0x2028, 0x2029},
		{0x202a, 0x202e}, {0x2066, 0x2069},
	};

	return is_control(point) ||
	       is_in(ranges, sizeof ranges / sizeof ranges[0], point);
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

		if (is_control(point))
			return true;
		text.data += length;
		text.size -= length;
	}
	return false;
}

bool utf8_is_blank(struct text text)
{
	while (text.size > 0) {
		size_t length = utf8_length(text.data, text.size);
		uint32_t point = code_point(text.data, length);

		if (!is_white(point) && !is_invisible(point))
			return false;
		text.data += length;
		text.size -= length;
	}
	return true;
}

size_t utf8_flatten(char *data, size_t size)
{
	size_t to = 0;

	for (size_t from = 0; from < size;) {
		size_t length = utf8_length(data + from, size - from);

		if (length == 0 || bends_line(code_point(data + from, length))) {
			data[to++] = '?';
			from += length > 0 ? length : 1;
			continue;
		}
		memmove(data + to, data + from, length);
		to += length;
		from += length;
	}
	return to;
}
