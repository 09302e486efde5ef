/* Where a name belongs in a table of a fixed size. Names come from clients, so
 * each table has a seed: nobody can choose names that share a place.
 *
 * And what tells one text from another. */
#ifndef LONGROOM_HASH_H
#define LONGROOM_HASH_H

#include <stdint.h>

#include "base/text.h"

uint64_t hash_seed(void);
size_t hash_place(uint64_t seed, struct text name, size_t places);

/* The same number for the same bytes, in every process. Nothing for secrets. */
uint64_t hash_text(struct text text);

#endif
