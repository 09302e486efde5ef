#include "base/hash.h"

#include "base/draw.h"

uint64_t hash_seed(void)
{
	uint64_t seed = 0;

	draw_bytes(&seed, sizeof seed);
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

static inline uint64_t add_word(uint64_t hash, const char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof word);
	return ((hash << 29 | hash >> 35) ^ word) * 0xd6e8feb86659fd93u;
}

/* Takes 32 bytes at a time: it runs over every page, and pages are long. */
uint64_t hash_text(struct text text)
{
	uint64_t hash = 0xcbf29ce484222325u ^ text.size;
	const char *at = text.data, *end = at + text.size;

	for (; end - at >= 32; at += 32) {
		hash = add_word(hash, at);
		hash = add_word(hash, at + 8);
		hash = add_word(hash, at + 16);
		hash = add_word(hash, at + 24);
	}
	for (; end - at >= 8; at += 8)
		hash = add_word(hash, at);
	for (; at < end; at++)
		hash = (hash ^ (unsigned char)*at) * 0x100000001b3u;
	hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93u;
	return (hash ^ hash >> 32) * 0xd6e8feb86659fd93u;
}
