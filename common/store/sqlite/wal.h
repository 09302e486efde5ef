/* Finds out which database a WAL belongs to. Pure (codec): bytes in, struct out.
 *
 * SQLite applies any file that has the name of a database's WAL. Nothing in the WAL
 * names its database, and inodes do not help: they differ in a copy of the whole
 * folder, and stay the same when a backup is copied over the database. So the log
 * carries a mark, in the only row of the table `life`:
 *
 *   - The last commit before a checkpoint draws a new mark. So only the state that
 *     the checkpoint leaves in the database file has this mark.
 *   - The first commit after the checkpoint touches the mark. So the WAL that begins
 *     there has it too.
 *
 * A WAL therefore belongs to a file whose mark is among those in the WAL. A backup
 * that was copied page by page while this WAL was written has the mark too, and the
 * whole WAL fits that state. A backup with other page positions (VACUUM INTO) is
 * recognised by the schema cookie, which SQLite changes then.
 *
 * The mark's text always has the same length and is at the end of its page, so a
 * torn write leaves the old mark or the new one. */
#ifndef LONGROOM_SQLITE_WAL_H
#define LONGROOM_SQLITE_WAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	WAL_HEADER_BYTES = 32,
	WAL_FRAME_BYTES = 24, /* before each page */
	WAL_PAGE_MIN = 512,
	WAL_PAGE_MAX = 65536,
	WAL_SALTS_AT = 16, /* in the header */
	WAL_SALTS_BYTES = 8,
	MARK_TEXT_BYTES = 83,
};

struct life {
	uint64_t origin; /* drawn at random when a writer opens the database */
	uint32_t count;  /* of marks since then; 0: not drawn yet */
};

struct mark {
	struct life now;
	struct life before; /* once it was touched: 0, and as the count the cookie
	                     * of the database file that this WAL goes on from */
	uint32_t cookie; /* PRAGMA schema_version when it was drawn, or touched */
	uint32_t turn;   /* how often it was touched since */
};

bool life_equal(struct life a, struct life b);

/* Writes MARK_TEXT_BYTES and a zero byte. */
void mark_write(const struct mark *mark, char text[MARK_TEXT_BYTES + 1]);
bool mark_read(const char *text, size_t size, struct mark *mark);

/* Finds the mark in the page of the table `life`. False: it is another page. */
bool mark_read_page(const uint8_t *page, size_t size, struct mark *mark);

/* The fields of an SQLite database's first bytes. */
enum { DATABASE_HEAD_BYTES = 100 };

struct database_head {
	uint32_t page_bytes;
	uint32_t cookie;
	uint32_t version;     /* PRAGMA user_version */
	uint32_t application; /* PRAGMA application_id */
};

/* False: not an SQLite database. */
bool database_head_read(const uint8_t head[DATABASE_HEAD_BYTES],
                        struct database_head *found);

/* Walks over a WAL, as SQLite does when it recovers one. */
struct wal_walk {
	uint32_t page_bytes;
	uint32_t sums[2], salts[2];
	bool big_endian;    /* as the checksums are */
	struct mark latest; /* of the current commit */
	uint32_t latest_page;
	bool has_latest;
	uint32_t cookie; /* of the last first page seen */
	bool has_cookie;
};

/* False: SQLite takes nothing from it. */
bool wal_walk_begin(struct wal_walk *walk, const uint8_t head[WAL_HEADER_BYTES]);

enum wal_frame {
	WAL_FRAME_END,    /* not valid: the WAL has ended before it */
	WAL_FRAME_TAKEN,
	WAL_FRAME_COMMIT, /* ends a commit; has_latest says whether it has a mark,
	                   * which is latest, in the page latest_page */
};

/* Takes the next frame: its header and its page. */
enum wal_frame wal_walk_frame(struct wal_walk *walk, const uint8_t *frame);

/* The number of the page that is in a frame. */
uint32_t wal_frame_page(const uint8_t *frame);

/* Examine the beginning of a rollback journal: whether SQLite would roll it back,
 * and whether it may have been left by a change of the journal mode of the database
 * with this first page. `size` is the journal's whole size; page may be NULL: the
 * database is empty. */
enum { JOURNAL_HEAD_BYTES = 28 };

bool journal_is_hot(const uint8_t *journal, size_t have);
bool journal_is_of_mode_change(const uint8_t *journal, size_t have, uint64_t size,
                               const uint8_t *page, size_t page_bytes,
                               uint64_t database_bytes);

#endif
