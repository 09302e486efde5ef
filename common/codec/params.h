/* Names and values of a query or a form (application/x-www-form-urlencoded).
 * Pure. */
#ifndef LONGROOM_PARAMS_H
#define LONGROOM_PARAMS_H

#include "base/buffer.h"

/* Adds text with %XX decoded (RFC 3986 section 2.1), and '+' as a space if
 * plus_is_space. False at a '%' that two hexadecimal digits don't follow. */
bool percent_decode(struct text text, bool plus_is_space, struct buffer *decoded);

struct param {
	struct text name, value; /* still encoded */
};

/* Cuts the next name=value from *rest; false at the end. Empty pairs (&&) are
 * passed over. */
bool params_next(struct text *rest, struct param *param);

enum param_found {
	PARAM_ABSENT,
	PARAM_FOUND,
	PARAM_TWICE,     /* given more than once */
	PARAM_MALFORMED, /* its percent-encoding is wrong */
	PARAM_NOT_UTF8,  /* what it encodes is not UTF-8 */
};

/* Looks for name in a query and adds its decoded value to *value. */
enum param_found params_find(struct text query, const char *name,
                             struct buffer *value);

#endif
