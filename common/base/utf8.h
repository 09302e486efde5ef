/* UTF-8 as in RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
 * Pure. This is all that would be needed of a Unicode library, and White_Space has
 * not changed since Unicode 6.3, so there is none. */
#ifndef LONGROOM_UTF8_H
#define LONGROOM_UTF8_H

#include "base/text.h"

/* The length in bytes, 1 to 4, of the character at data; 0 if none is there. */
size_t utf8_length(const char *data, size_t size);

bool utf8_valid(struct text text);

/* Without White_Space characters and U+FEFF at both ends. Takes valid UTF-8. */
struct text utf8_trim(struct text text);

/* Whether there is a control character: U+0000 to U+001F, U+007F to U+009F.
 * Takes valid UTF-8. */
bool utf8_has_control(struct text text);

/* Whether it has no visible character: only white space and characters that fonts
 * show as nothing. Takes valid UTF-8. */
bool utf8_is_blank(struct text text);

/* Turns any bytes into one line of plain characters. Bytes that are not UTF-8,
 * control characters, line and paragraph separators, and characters that change the
 * direction of writing each become a '?'. Returns the new size, at most the old
 * one. */
size_t utf8_flatten(char *data, size_t size);

#endif
