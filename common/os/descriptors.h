/* The limit of open files. */
#ifndef LONGROOM_DESCRIPTORS_H
#define LONGROOM_DESCRIPTORS_H

#include "base/buffer.h"

/* Raises it as far as allowed; returns it, at most 2^30. */
size_t descriptors_raise_limit(void);

/* Raises it. False: it allows fewer than `needed`, and *error says how to raise
 * it. */
bool descriptors_require(size_t needed, struct buffer *error);

#endif
