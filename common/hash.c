#include "hash.h"

#include <sys/random.h>

uint64_t hash_seed(void)
{
	uint64_t seed = 0;
	/* Can't fail for so few bytes (getrandom(2)). */
	ssize_t ignored = getrandom(&seed, sizeof seed, 0);

	(void)ignored;
	return seed;
}

/* FNV-1a, mixed once more at its end. */
size_t hash_place(uint64_t seed, struct text name, size_t places)
{
	uint64_t hash = 0xcbf29ce484222325u ^ seed;

	for (size_t i = 0; i < name.size; i++)
		hash = (hash ^ (unsigned char)name.data[i]) * 0x100000001b3u;
	hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93u;
	return (hash >> 32) % places;
}

/* Eight bytes at a time, for pages are long. */
uint64_t hash_text(struct text text)
{
	uint64_t hash = 0xcbf29ce484222325u ^ text.size, word;
	size_t at = 0;

	for (; text.size - at >= sizeof word; at += sizeof word) {
		memcpy(&word, text.data + at, sizeof word);
		hash = ((hash << 29 | hash >> 35) ^ word) * 0xd6e8feb86659fd93u;
	}
	for (; at < text.size; at++)
		hash = (hash ^ (unsigned char)text.data[at]) * 0x100000001b3u;
	hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93u;
	return (hash ^ hash >> 32) * 0xd6e8feb86659fd93u;
}
