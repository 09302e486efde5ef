/* A queue of entries whose keys ascend: of a room those that are in the log, by
 * id, or those that are in none, by position. A ring of pointers, so that what
 * lies behind a key is found by halving, wherever it is.
 *
 * It grows by doubling and shrinks when three quarters are free. Borrows its
 * entries. {0} is an empty one; none that is empty has memory. */
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

/* At the end, and from the front, where there must be one. */
void sequence_append(struct sequence *sequence, struct entry *entry);
void sequence_drop_first(struct sequence *sequence);

/* How many of its first entries have keys up to this one. The key of an entry is
 * what the function says. */
size_t sequence_count_up_to(const struct sequence *sequence, int64_t key,
                            int64_t (*key_of)(const struct entry *entry));

/* NULL beyond the end. 0 is the first. */
static inline struct entry *sequence_at(const struct sequence *sequence,
                                        size_t index)
{
	if (index >= sequence->count)
		return NULL;
	return sequence->ring[(sequence->first + index) & (sequence->capacity - 1)];
}

/* NULL if it is empty. */
static inline struct entry *sequence_last(const struct sequence *sequence)
{
	return sequence_at(sequence, sequence->count - 1);
}

/* What its ring takes. */
static inline size_t sequence_bytes(const struct sequence *sequence)
{
	return sequence->capacity * sizeof(struct entry *);
}

#endif
