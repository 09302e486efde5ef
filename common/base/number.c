#include "base/number.h"

bool number_parse(struct text text, int64_t least, int64_t most, int64_t *number)
{
	int64_t value = 0;

	if (text.size == 0 || (text.size > 1 && text.data[0] == '0'))
		return false;
	for (size_t i = 0; i < text.size; i++) {
		int digit = text.data[i] - '0';

		if (digit < 0 || digit > 9 || value > (INT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*number = value;
	return value >= least && value <= most;
}

int number_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool number_parse_hex8(struct text text, uint32_t *number)
{
	*number = 0;
	if (text.size != 8)
		return false;
	for (size_t i = 0; i < text.size; i++) {
		char c = text.data[i];
		int digit = c >= 'A' && c <= 'F' ? -1 : number_hex_digit(c);

		if (digit < 0)
			return false;
		*number = *number << 4 | (uint32_t)digit;
	}
	return true;
}
