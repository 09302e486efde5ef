/* Hashes: a seeded one for the place of a name in a table of a fixed size, and a
 * fingerprint of a text. Names come from clients; because of the seed they cannot
 * choose names that share a place. */
#ifndef LONGROOM_HASH_H
#define LONGROOM_HASH_H

#include <stdint.h>

#include "base/text.h"

uint64_t hash_seed(void);
size_t hash_place(uint64_t seed, struct text name, size_t places);

/* Returns the same number for the same bytes in every process. Not for secrets. */
uint64_t hash_text(struct text text);

#endif
