/* The limit of open files. */
#ifndef LONGROOM_DESCRIPTORS_H
#define LONGROOM_DESCRIPTORS_H

#include <stddef.h>

/* Raises it as far as allowed; returns it, at most 2^30. */
size_t descriptors_raise_limit(void);

#endif
