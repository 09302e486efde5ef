/* A queue of a room's entries with ascending keys: those in the log by id, or those
 * in no log by position. It is a ring of pointers, so the entries after a key are
 * found by binary search.
 *
 * It doubles to grow, and shrinks when three quarters are free. Borrows its entries.
 * {0} is empty; an empty sequence has no memory. */
#ifndef LONGROOM_SEQUENCE_H
#define LONGROOM_SEQUENCE_H

#include <stddef.h>
#include <stdint.h>

struct entry;

struct sequence {
	struct entry **ring;
	size_t capacity; /* of the ring; 0, or a power of two */
	size_t first;    /* its place in the ring */
	size_t count;
};

/* Add at the end; remove the first, which must exist. */
void sequence_append(struct sequence *sequence, struct entry *entry);
void sequence_drop_first(struct sequence *sequence);

/* Returns how many of its first entries have keys up to this one. The function gives
 * the key of an entry. */
size_t sequence_count_up_to(const struct sequence *sequence, int64_t key,
                            int64_t (*key_of)(const struct entry *entry));

/* Returns entry number `index`, from 0; NULL beyond the end. */
static inline struct entry *sequence_at(const struct sequence *sequence,
                                        size_t index)
{
	if (index >= sequence->count)
		return NULL;
	return sequence->ring[(sequence->first + index) & (sequence->capacity - 1)];
}

/* Returns the last entry; NULL: it is empty. */
static inline struct entry *sequence_last(const struct sequence *sequence)
{
	return sequence_at(sequence, sequence->count - 1);
}

/* Returns the memory of its ring, in bytes. */
static inline size_t sequence_bytes(const struct sequence *sequence)
{
	return sequence->capacity * sizeof(struct entry *);
}

#endif
