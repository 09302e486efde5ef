#include "store/sqlite/wal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- Marks ---- */

static const char prefix[] = "longroom life ";

enum {
	PREFIX_BYTES = sizeof prefix - 1,
	LEAF_OF_TABLE = 0x0d,
	/* Before the text: payload's size, rowid 1, the record's header of three
	 * bytes, of which two say that a text of this size follows. */
	CELL_HEAD_BYTES = 5,
};

static const uint8_t cell_head[CELL_HEAD_BYTES] = {
	3 + MARK_TEXT_BYTES, 1, 3,
	0x80 | (2 * MARK_TEXT_BYTES + 13) >> 7,
	(2 * MARK_TEXT_BYTES + 13) & 0x7f,
};

static uint32_t big_16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t big_32(const uint8_t *at)
{
	return big_16(at) << 16 | big_16(at + 2);
}

bool life_equal(struct life a, struct life b)
{
	return a.origin == b.origin && a.count == b.count;
}

void mark_write(const struct mark *mark, char text[MARK_TEXT_BYTES + 1])
{
	snprintf(text, MARK_TEXT_BYTES + 1,
	         "%s%016" PRIx64 ".%08" PRIx32 " %016" PRIx64 ".%08" PRIx32
	         " %08" PRIx32 " %08" PRIx32,
	         prefix, mark->now.origin, mark->now.count, mark->before.origin,
	         mark->before.count, mark->cookie, mark->turn);
}

/* Reads hexadecimal digits and the byte behind them. */
static bool read_hex(const char **at, int digits, char end, uint64_t *number)
{
	*number = 0;
	for (int i = 0; i < digits; i++, (*at)++) {
		const char *found = strchr("0123456789abcdef", **at);

		if (**at == '\0' || found == NULL)
			return false;
		*number = *number << 4 |
		          (uint64_t)(found - strchr("0123456789abcdef", '0'));
	}
	return *(*at)++ == end;
}

static bool read_number(const char **at, char end, uint32_t *number)
{
	uint64_t wide;
	bool good = read_hex(at, 8, end, &wide);

	*number = (uint32_t)wide;
	return good;
}

static bool read_life(const char **at, struct life *life)
{
	return read_hex(at, 16, '.', &life->origin) &&
	       read_number(at, ' ', &life->count);
}

bool mark_read(const char *text, size_t size, struct mark *mark)
{
	char copy[MARK_TEXT_BYTES + 1];
	const char *at = copy + PREFIX_BYTES;

	if (size != MARK_TEXT_BYTES || memcmp(text, prefix, PREFIX_BYTES) != 0)
		return false;
	memcpy(copy, text, size);
	copy[size] = '\0';
	return read_life(&at, &mark->now) && read_life(&at, &mark->before) &&
	       read_number(&at, ' ', &mark->cookie) &&
	       read_number(&at, '\0', &mark->turn);
}

bool mark_read_page(const uint8_t *page, size_t size, struct mark *mark)
{
	size_t at = big_16(page + 8);

	if (page[0] != LEAF_OF_TABLE || big_16(page + 3) != 1 ||
	    at + CELL_HEAD_BYTES + MARK_TEXT_BYTES > size ||
	    memcmp(page + at, cell_head, CELL_HEAD_BYTES) != 0)
		return false;
	return mark_read((const char *)page + at + CELL_HEAD_BYTES,
	                 MARK_TEXT_BYTES, mark);
}

/* ---- The database ---- */

enum { COOKIE_AT = 40 };

static bool is_page_size(uint32_t bytes)
{
	return bytes >= WAL_PAGE_MIN && bytes <= WAL_PAGE_MAX &&
	       (bytes & (bytes - 1)) == 0;
}

bool database_head_read(const uint8_t head[DATABASE_HEAD_BYTES],
                        struct database_head *found)
{
	uint32_t bytes = big_16(head + 16);

	*found = (struct database_head){
		.page_bytes = bytes == 1 ? WAL_PAGE_MAX : bytes,
		.cookie = big_32(head + COOKIE_AT),
		.version = big_32(head + 60),
		.application = big_32(head + 68),
	};
	return memcmp(head, "SQLite format 3", 16) == 0 &&
	       is_page_size(found->page_bytes);
}

/* ---- The WAL ---- */

enum { WAL_MAGIC = 0x377f0682, WAL_VERSION = 3007000 };

static uint32_t word_at(const struct wal_walk *walk, const uint8_t *at)
{
	if (walk->big_endian)
		return big_32(at);
	return (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 |
	       (uint32_t)at[1] << 8 | at[0];
}

static void add_up(struct wal_walk *walk, const uint8_t *at, size_t size)
{
	for (const uint8_t *end = at + size; at < end; at += 8) {
		walk->sums[0] += word_at(walk, at) + walk->sums[1];
		walk->sums[1] += word_at(walk, at + 4) + walk->sums[0];
	}
}

static bool sums_are(const struct wal_walk *walk, const uint8_t *at)
{
	return walk->sums[0] == big_32(at) && walk->sums[1] == big_32(at + 4);
}

bool wal_walk_begin(struct wal_walk *walk, const uint8_t head[WAL_HEADER_BYTES])
{
	uint32_t magic = big_32(head);

	*walk = (struct wal_walk){
		.big_endian = (magic & 1) != 0,
		.page_bytes = big_32(head + 8),
		.salts = {big_32(head + WAL_SALTS_AT),
		          big_32(head + WAL_SALTS_AT + 4)},
	};
	add_up(walk, head, 24);
	return (magic & ~1u) == WAL_MAGIC && big_32(head + 4) == WAL_VERSION &&
	       is_page_size(walk->page_bytes) && sums_are(walk, head + 24);
}

uint32_t wal_frame_page(const uint8_t *frame)
{
	return big_32(frame);
}

enum wal_frame wal_walk_frame(struct wal_walk *walk, const uint8_t *frame)
{
	const uint8_t *page = frame + WAL_FRAME_BYTES;
	uint32_t number = wal_frame_page(frame), pages = big_32(frame + 4);
	struct mark mark;

	add_up(walk, frame, 8);
	add_up(walk, page, walk->page_bytes);
	if (number == 0 || big_32(frame + 8) != walk->salts[0] ||
	    big_32(frame + 12) != walk->salts[1] || !sums_are(walk, frame + 16))
		return WAL_FRAME_END;
	if (number == 1) {
		walk->cookie = big_32(page + COOKIE_AT);
		walk->has_cookie = true;
	}
	if (mark_read_page(page, walk->page_bytes, &mark)) {
		walk->latest = mark;
		walk->latest_page = number;
		walk->has_latest = true;
	}
	return pages != 0 ? WAL_FRAME_COMMIT : WAL_FRAME_TAKEN;
}

/* ---- The rollback journal ---- */

static const uint8_t journal_magic[8] = {0xd9, 0xd5, 0x05, 0xf9,
                                         0x20, 0xa1, 0x63, 0xd7};

bool journal_is_hot(const uint8_t *journal, size_t have)
{
	return have >= JOURNAL_HEAD_BYTES &&
	       memcmp(journal, journal_magic, sizeof journal_magic) == 0;
}

/* Whether two first pages differ by no more than the journal mode. */
static bool is_same_page(const uint8_t *a, const uint8_t *b, size_t size)
{
	return memcmp(a, b, 18) == 0 && memcmp(a + 20, b + 20, 4) == 0 &&
	       memcmp(a + 28, b + 28, 64) == 0 &&
	       memcmp(a + 100, b + 100, size - 100) == 0;
}

bool journal_is_of_mode_change(const uint8_t *journal, size_t have, uint64_t size,
                               const uint8_t *page, size_t page_bytes,
                               uint64_t database_bytes)
{
	uint32_t pages = big_32(journal + 16), sector = big_32(journal + 20);
	size_t record = 4 + page_bytes + 4;

	if (pages == 0)
		return database_bytes <= page_bytes || page == NULL;
	if (page == NULL || big_32(journal + 24) != page_bytes ||
	    sector < JOURNAL_HEAD_BYTES || sector > WAL_PAGE_MAX ||
	    size > sector + 2 * record || have < sector + record)
		return false;
	return big_32(journal + sector) == 1 &&
	       is_same_page(journal + sector + 4, page, page_bytes);
}
