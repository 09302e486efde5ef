#include "hub/sequence.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

enum { LEAST_CAPACITY = 4 };

static void empty(struct sequence *sequence)
{
	free(sequence->ring);
	*sequence = (struct sequence){0};
}

static void move_to_ring_of(struct sequence *sequence, size_t capacity)
{
	struct entry **ring = memory_get(capacity * sizeof(struct entry *));

	for (size_t i = 0; i < sequence->count; i++)
		ring[i] = sequence_at(sequence, i);
	free(sequence->ring);
	sequence->ring = ring;
	sequence->capacity = capacity;
	sequence->first = 0;
}

void sequence_append(struct sequence *sequence, struct entry *entry)
{
	if (sequence->count == sequence->capacity)
		move_to_ring_of(sequence, sequence->capacity > 0
		                                  ? 2 * sequence->capacity
		                                  : LEAST_CAPACITY);
	size_t end = sequence->first + sequence->count++;
	sequence->ring[end & (sequence->capacity - 1)] = entry;
}

void sequence_drop_first(struct sequence *sequence)
{
	assert(sequence->count > 0);
	sequence->first = (sequence->first + 1) & (sequence->capacity - 1);
	if (--sequence->count == 0)
		empty(sequence);
	else if (sequence->capacity > LEAST_CAPACITY &&
	         sequence->count <= sequence->capacity / 4)
		move_to_ring_of(sequence, sequence->capacity / 2);
}

size_t sequence_count_up_to(const struct sequence *sequence, int64_t key,
                            int64_t (*key_of)(const struct entry *entry))
{
	size_t low = 0, high = sequence->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (key_of(sequence_at(sequence, middle)) <= key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
