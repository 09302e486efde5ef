/* JSON read strictly by the grammar of RFC 8259, to compare another reader with:
 * plain, slow, and with no limit but the stack. */
#ifndef LONGROOM_FUZZ_RFC8259_H
#define LONGROOM_FUZZ_RFC8259_H

#include "base/buffer.h"

/* A member of the outermost object, in order; value.data is NULL if it is not a
 * string. An unpaired surrogate escape is U+FFFD. */
typedef void rfc8259_visit(void *context, struct text name, struct text value);

/* False: the text (valid UTF-8) is not one JSON object. *depth is that of the
 * deepest value, 1 for the object itself. */
bool rfc8259_read(struct text json, rfc8259_visit *visit, void *context,
                  int *depth);

#endif
