/* Whole numbers as clients and operators write them. Pure. */
#ifndef LONGROOM_NUMBER_H
#define LONGROOM_NUMBER_H

#include <stdint.h>

#include "base/text.h"

/* Decimal digits only: no sign, no white space, no leading zero. False unless
 * all of text is a number from least (>= 0) to most. */
bool number_parse(struct text text, int64_t least, int64_t most, int64_t *number);

/* Returns the value of a hexadecimal digit of either case; -1: not a digit. */
int number_hex_digit(char c);

/* Exactly 8 lower-case hexadecimal digits. */
bool number_parse_hex8(struct text text, uint32_t *number);

#endif
