#include "codec/acknowledged.h"

static const char empty_line[] = "longroom 1 -------- -------- "
                                 "------------------- --------\n";
enum { FIRST_AT = 11, NEWEST_AT = 20, ID_AT = 29, CHECKSUM_AT = 49 };

/* FNV-1a: detects lines written in part, not forged ones. */
static uint32_t checksum(const char *data, size_t size)
{
	uint32_t hash = 0x811c9dc5u;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (unsigned char)data[i]) * 0x01000193u;
	return hash;
}

static void put_column(char *at, int digits, unsigned base, uint64_t number)
{
	while (digits-- > 0) {
		at[digits] = "0123456789abcdef"[number % base];
		number /= base;
	}
}

/* Without snprintf(), since it runs once a commit. */
void acknowledged_render(const struct acknowledged *record,
                         char line[ACKNOWLEDGED_SIZE])
{
	memcpy(line, empty_line, ACKNOWLEDGED_SIZE);
	put_column(line + FIRST_AT, 8, 16, record->first);
	put_column(line + NEWEST_AT, 8, 16, record->newest);
	put_column(line + ID_AT, 19, 10, (uint64_t)record->id);
	put_column(line + CHECKSUM_AT, 8, 16, checksum(line, CHECKSUM_AT));
}

/* Returns any number if these are not digits. */
static uint64_t get_column(const char *at, int digits, unsigned base)
{
	uint64_t number = 0;

	for (int i = 0; i < digits; i++) {
		unsigned c = (unsigned char)at[i];

		number = number * base + (c <= '9' ? c - '0' : c - 'a' + 10);
	}
	return number;
}

/* The line must be, byte for byte, what would be written. */
bool acknowledged_parse(struct text line, struct acknowledged *record)
{
	char same[ACKNOWLEDGED_SIZE];

	if (line.size != ACKNOWLEDGED_SIZE)
		return false;
	record->first = (uint32_t)get_column(line.data + FIRST_AT, 8, 16);
	record->newest = (uint32_t)get_column(line.data + NEWEST_AT, 8, 16);
	record->id = (int64_t)get_column(line.data + ID_AT, 19, 10);
	acknowledged_render(record, same);
	return record->id >= 0 && memcmp(line.data, same, sizeof same) == 0;
}

static struct cursor cursor_of(const struct acknowledged *record)
{
	return (struct cursor){
		.names_log = true, .log = record->newest, .id = record->id};
}

bool acknowledged_is_in(const struct acknowledged *record, uint32_t first,
                        const struct incarnations *list, int64_t newest)
{
	struct cursor place = cursor_of(record);

	return record->first == first && record->id <= newest &&
	       incarnations_judge(list, &place) == STANDING_GOOD;
}

/* A record of the same log with a tag that is not in the list is from a later
 * incarnation, which the writer with this list does not know yet. */
bool acknowledged_follows(const struct acknowledged *was,
                          const struct acknowledged *now,
                          const struct incarnations *list)
{
	struct cursor place = cursor_of(was);

	if (was->first != now->first)
		return true;
	if (was->newest == now->newest)
		return was->id < now->id;
	return list == NULL ||
	       incarnations_judge(list, &place) != STANDING_UNKNOWN;
}
