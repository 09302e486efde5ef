/* The floor for saving: SQLite itself, in a database made by longroom-history,
 * with nothing around it.
 *
 *     floor-sqlite DATABASE insert BATCH SECONDS
 *         inserts BATCH rows a transaction, as durably as Longroom, and prints
 *         how many were inserted in how long
 *     floor-sqlite DATABASE fill COUNT ROOMS
 *         makes a log of COUNT messages quickly, not durably: a tenth are in
 *         room_1, the others anywhere in room_2 to room_ROOMS */
#define _GNU_SOURCE 1 /* clock_gettime */
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* As longroom-load's messages by default. */
static const char content[] =
	"lr-5f3a9c01 123456 0 123457 0 8273649182736:abcdefghijklmnopqrstuvwxyz"
	"0123456789abcdefghijklmnopqrst";

struct floor {
	sqlite3 *db;
	sqlite3_stmt *insert, *begin, *commit;
};

static void give_up(struct floor *floor)
{
	fprintf(stderr, "floor-sqlite: %s\n", sqlite3_errmsg(floor->db));
	exit(1);
}

static void execute(struct floor *floor, const char *sql)
{
	if (sqlite3_exec(floor->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		give_up(floor);
}

static sqlite3_stmt *prepare(struct floor *floor, const char *sql)
{
	sqlite3_stmt *statement;

	if (sqlite3_prepare_v2(floor->db, sql, -1, &statement, NULL) != SQLITE_OK)
		give_up(floor);
	return statement;
}

static void step(struct floor *floor, sqlite3_stmt *statement)
{
	if (sqlite3_step(statement) != SQLITE_DONE ||
	    sqlite3_reset(statement) != SQLITE_OK)
		give_up(floor);
}

/* As common/store/sqlite/append.c does for each message, without its queries
 * before. */
static void open_database(struct floor *floor, const char *path)
{
	if (sqlite3_open_v2(path, &floor->db,
	                    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
	                    NULL) != SQLITE_OK)
		give_up(floor);
	floor->begin = prepare(floor, "BEGIN IMMEDIATE");
	floor->commit = prepare(floor, "COMMIT");
	floor->insert = prepare(
		floor, "INSERT INTO messages (room_id, sender_id, sender_name,"
		       " sender_type, content, client_id, sent_ms)"
		       " VALUES (?1, 's0', 'sender \"0\"', 'user', ?2, NULL, ?3)");
	sqlite3_bind_text(floor->insert, 2, content, sizeof content - 1,
	                  SQLITE_STATIC);
}

static void insert(struct floor *floor, int64_t room_id, int64_t sent_ms)
{
	sqlite3_bind_int64(floor->insert, 1, room_id);
	sqlite3_bind_int64(floor->insert, 3, sent_ms);
	step(floor, floor->insert);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void insert_for(struct floor *floor, int64_t batch, double seconds)
{
	int64_t rows = 0, commits = 0;
	double began, spent;

	execute(floor, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
	began = now();
	do {
		step(floor, floor->begin);
		for (int64_t i = 0; i < batch; i++)
			insert(floor, 1, ++rows);
		step(floor, floor->commit);
		commits++;
		spent = now() - began;
	} while (spent < seconds);
	printf("{\"rows\":%" PRId64 ",\"commits\":%" PRId64 ",\"seconds\":%.6f}\n",
	       rows, commits, spent);
}

/* Knuth's MMIX generator: the same log each time. */
static int64_t draw_room(uint64_t *random, int64_t rooms)
{
	*random = *random * 6364136223846793005u + 1442695040888963407u;
	uint64_t drawn = *random >> 33;

	if (drawn % 10 == 0 || rooms < 2)
		return 1;
	return 2 + (int64_t)(drawn / 10 % (uint64_t)(rooms - 1));
}

static void add_rooms(struct floor *floor, int64_t rooms)
{
	sqlite3_stmt *add = prepare(floor, "INSERT OR IGNORE INTO rooms"
	                                   " (room_id, name)"
	                                   " VALUES (?1, 'room_' || ?1)");

	for (int64_t room = 1; room <= rooms; room++) {
		sqlite3_bind_int64(add, 1, room);
		step(floor, add);
	}
	sqlite3_finalize(add);
}

static void fill(struct floor *floor, int64_t count, int64_t rooms)
{
	uint64_t random = 1;

	execute(floor, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
	               " PRAGMA cache_size = -500000");
	step(floor, floor->begin);
	add_rooms(floor, rooms);
	for (int64_t i = 0; i < count; i++)
		insert(floor, draw_room(&random, rooms), 1767225600000 + i);
	step(floor, floor->commit);
	execute(floor, "PRAGMA journal_mode = WAL");
}

static void close_database(struct floor *floor)
{
	sqlite3_finalize(floor->insert);
	sqlite3_finalize(floor->begin);
	sqlite3_finalize(floor->commit);
	sqlite3_close(floor->db);
}

int main(int argc, char **argv)
{
	struct floor floor = {0};
	int64_t count = argc == 5 ? atoll(argv[3]) : 0;

	if (count < 1) {
		fputs("usage: floor-sqlite DATABASE insert BATCH SECONDS\n"
		      "       floor-sqlite DATABASE fill COUNT ROOMS\n",
		      stderr);
		return 2;
	}
	open_database(&floor, argv[1]);
	if (strcmp(argv[2], "fill") == 0)
		fill(&floor, count, atoll(argv[4]));
	else
		insert_for(&floor, count, atof(argv[4]));
	close_database(&floor);
	return 0;
}
