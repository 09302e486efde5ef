/* JSON read strictly by the grammar of RFC 8259, to compare another reader with:
 * plain, slow, and with no limit but the stack. */
#ifndef LONGROOM_FUZZ_RFC8259_H
#define LONGROOM_FUZZ_RFC8259_H

#include "base/buffer.h"

/* A member of the outermost object, in order; value.data is NULL if it is not a
 * string. An unpaired surrogate escape is U+FFFD. */
typedef void rfc8259_visit(void *context, struct text name, struct text value,
                           struct text written);

/* What else there is in a text. */
struct rfc8259_found {
	int depth;  /* of the deepest value, 1 for the object itself */
	int nested; /* of the deepest object or array */
	bool has_twice, has_nul; /* an object has a member twice; a string has \u0000 */
};

/* False: the text (valid UTF-8) is not one JSON object. */
bool rfc8259_read(struct text json, rfc8259_visit *visit, void *context,
                  struct rfc8259_found *found);

/* Adds such an object without white space, and with \ufffd for the escape of an
 * unpaired surrogate, but otherwise as it is written. */
void rfc8259_compact(struct text json, struct buffer *b);

#endif
