/* base64url as in RFC 7515: RFC 4648 section 5, without padding. Pure.
 *
 * Every run of bytes has exactly one text, and only that one is accepted: no
 * padding, no white space, no characters of the other alphabet, no bits left
 * over. */
#ifndef LONGROOM_BASE64URL_H
#define LONGROOM_BASE64URL_H

#include "base/buffer.h"

/* Adds the text of the bytes. */
void base64url_encode(struct text bytes, struct buffer *text);

/* Adds the bytes. False if text is not base64url; some bytes may have been added. */
bool base64url_decode(struct text text, struct buffer *bytes);

#endif
