/* The log in an SQLite database: shared by the files of this back-end. Only this
 * room knows SQLite. HACKING says which file does what.
 *
 * WAL with synchronous=FULL: a commit is on disk when it returns, and readers never
 * wait for the writer. AUTOINCREMENT: ids ascend with commits (there is one writer
 * at a time), and none is assigned twice, even after a DELETE.
 *
 * If a database is removed or replaced while it is open, writes would go on to the
 * old file, unnoticed. If it is overwritten, its content would be mixed with that of
 * its WAL. So every use checks the three files (one stat each). If the database, the
 * WAL or its index is another file, the database is reopened. If the database file
 * was written to, even by a checkpoint, its mark is compared (wal.h). */
#ifndef LONGROOM_SQLITE_PRIVATE_H
#define LONGROOM_SQLITE_PRIVATE_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdint.h>

#include "store/acknowledged_file.h"
#include "store/sqlite/files.h"
#include "store/sqlite/wal.h"
#include "store/store_backend.h"
#include "store/writers_file.h"

enum statement {
	BEGIN_READ,
	BEGIN_WRITE,
	COMMIT,
	MARK,
	KEEP_SINCE_MARK,
	UNDO_SINCE_MARK,
	DATA_VERSION,
	LOG_END,
	INCARNATIONS,
	FIND_ROOM,
	ADD_NUMBERED_ROOM,
	ADD_NAMED_ROOM,
	FIND_REPEATED,
	INSERT,
	ROOM_STATE,
	LAST_HOLE,
	HIGHEST_HOLE,
	HOLES_AFTER,
	LOWEST_ID,
	ROOMS_CHANGED,
	PAGE_NEWEST,
	PAGE_BEFORE,
	PAGE_AFTER,
	CONTENTS_BACKWARDS,
	ROOM_IDS_AFTER,
	ONE,
	LOG_AFTER,
	LOG_BACKWARDS,
	READ_MARK,
	WRITE_MARK,
	STATEMENT_COUNT
};

/* The files as they were when they were last known to belong together. */
struct sqlite_seen {
	struct file_look database, wal, shm;
};

/* A writer's view of the WAL. Frames are counted from its beginning. */
struct sqlite_wal {
	struct life own;     /* what this connection has drawn last */
	bool touch_is_due;   /* the WAL begins, or may: the next commit touches it */
	bool draw_is_due;    /* the next commit draws another, for a checkpoint
	                      * follows it */
	bool is_drawn;       /* the last commit was one that drew */
	bool is_written;     /* the commit under way has a mark */
	uint8_t salts[WAL_SALTS_BYTES]; /* of the WAL that has the mark */
	int frames;          /* as of our last commit */
	int checkpoint_from; /* so many frames make the next checkpoint due */
	int64_t held_since_ms; /* since when a reader has kept a checkpoint from
	                        * completing; 0: none is held up */
	bool is_told;        /* that it is large */
};

struct room_cursor;

/* Cursors over the ranges of several rooms: merge.c. */
struct sqlite_merge {
	struct room_cursor *cursors;
	size_t size; /* of the array */
	size_t open; /* a heap: the first is at the lowest id */
};

struct sqlite_place;

struct sqlite_store {
	char *path;
	struct sqlite_paths paths;
	enum store_access access;
	int busy_timeout_ms;
	int64_t wal_warning_bytes;
	struct writers_file *writers; /* its own thread's */
	struct sqlite_place *place;
	struct sqlite_store *next; /* at the same place */
	/* The thread that has the places' lock is at it, without its `use`; written
	 * under both, or by the store's own thread under the first. */
	bool is_taken;
	/* Held by sqlite_enter() until sqlite_leave(). What follows is under it. */
	pthread_mutex_t use;
	sqlite3 *db; /* NULL: not connected */
	struct sqlite_seen seen;
	struct life file_life;   /* the mark that the database file had last */
	uint32_t mark_page;
	uint32_t pager_version;  /* a writer's: of the file, as `log` is that of */
	int64_t seen_version;    /* PRAGMA data_version when it was compared last */
	struct sqlite_wal wal;   /* a writer's */
	sqlite3_stmt *prepared[STATEMENT_COUNT];
	struct sqlite_merge merge;
	uint32_t first; /* the log's first tag */
	uint32_t log;   /* its newest, as of the last look at the log's end */
	struct incarnations incarnations; /* ... which ends with it */
	struct acknowledged_file *acknowledged; /* a writer's */
	const char *why_to_begin; /* another incarnation; NULL: there is no need */
	bool wants_all_anew; /* the next connection can't share what the others of
	                      * this process have: they end too */
	/* A lock has outlasted busy_timeout: until it is gone nothing waits for it
	 * again, or requests would queue up behind each other's waits. */
	bool is_locked;
	bool folder_is_kept; /* the same for the lock of its folder */
	bool was_open;
	bool has_refused_by_error; /* a message, in this batch */
	bool is_set_back; /* a writer's: the log is to be recognised anew */
	/* What the last look at the log's end found, and the version it saw. */
	int64_t data_version;
	struct log_end end;
	bool hopeless; /* the last failure is */
	bool is_awaited; /* a reader's: ... is that no writer has been here */
	char error[STORE_ERROR_MAX];
};

/* ---- connection.c ---- */

/* Begins a use of the connection. True: it is connected, its files are unchanged,
 * and sqlite_leave() must follow, which returns `good`. */
bool sqlite_enter(struct sqlite_store *s);
bool sqlite_leave(struct sqlite_store *s, bool good);

/* As store_connect(). */
bool sqlite_connect(void *connection);
/* Leaves the WAL as it is. */
void sqlite_disconnect(struct sqlite_store *s);
/* Lets SQLite empty and remove the WAL, if this is the last connection and the files
 * are unchanged. */
void sqlite_close_in_order(struct sqlite_store *s);

/* Takes the folder's lock, for folder_unlock(). */
bool sqlite_lock_folder(struct sqlite_store *s, int *lock);

/* Both return false. The second keeps SQLite's reason, and drops the connection so
 * that the next call reconnects, unless the failure is only a lock. */
bool sqlite_fail(struct sqlite_store *s, const char *why);
bool sqlite_fail_by_database(struct sqlite_store *s);

/* Keeps SQLite's reason, with that of errno if there is one. Records damage at the
 * place, and explains a denied access in full. Returns false. */
bool sqlite_note_error(struct sqlite_store *s);
/* Whether this process has access. False: s->error says what denies it, and retrying
 * cannot help. */
bool sqlite_is_let_in(struct sqlite_store *s);

/* Whether a primary result code means damage. */
static inline bool sqlite_is_damage(int code)
{
	return code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
}

/* Whether the last failure is a lock, which passes by itself. */
bool sqlite_is_locked_out(const struct sqlite_store *s);

void sqlite_end_transaction(struct sqlite_store *s);

/* Returns a statement that is reset; NULL: SQLite has an error. */
sqlite3_stmt *sqlite_prepare(struct sqlite_store *s, enum statement which);
/* The same, for a statement that is needed several times at once, each in a place of
 * its own, which has NULL at first. The caller finalizes it. */
sqlite3_stmt *sqlite_prepare_at(struct sqlite_store *s, enum statement which,
                                sqlite3_stmt **prepared);
/* Runs a statement that gives no rows. */
bool sqlite_run(struct sqlite_store *s, enum statement which);
/* The same for SQL that is needed once. */
bool sqlite_execute(struct sqlite_store *s, const char *sql);
bool sqlite_query_number(struct sqlite_store *s, const char *sql,
                         int64_t *number);

/* A text without data is NULL in SQL. Borrowed until the statement is reset. Both
 * are here to be inlined: a page of ten messages calls them a hundred times. */
static inline void sqlite_bind_text(sqlite3_stmt *statement, int at,
                                    struct text text)
{
	if (text.data == NULL)
		sqlite3_bind_null(statement, at);
	else
		sqlite3_bind_text(statement, at, text.data, (int)text.size,
		                  SQLITE_STATIC);
}

/* The text of a row's value; without data if that is NULL. */
static inline struct text sqlite_value_text(sqlite3_value *value)
{
	struct text text;

	text.data = (const char *)sqlite3_value_text(value);
	text.size = (size_t)sqlite3_value_bytes(value);
	return text;
}

/* The column is looked up once, not for its text and for its size. SQLite calls a
 * column's value unprotected: threads must not share the connection at the same time,
 * and none do. */
static inline struct text sqlite_column_text(sqlite3_stmt *statement, int column)
{
	return sqlite_value_text(sqlite3_column_value(statement, column));
}

/* ---- schema.c ---- */

/* Checks that the file is a log of Longroom before anything in it is changed. A
 * writer then creates or updates the tables. Sets s->hopeless if retrying cannot
 * help. */
bool sqlite_set_up_schema(struct sqlite_store *s);

/* Whether a database file that begins like this is, or was, a log. */
bool sqlite_is_our_application(const struct database_head *head);
/* Judges a database file by its first bytes, and describes it in *found. `size` is
 * less than SCHEMA_HEAD_BYTES if the file is shorter. */
enum { SCHEMA_HEAD_BYTES = 108 };
enum store_prospect sqlite_judge_head(const uint8_t *head, size_t size,
                                      enum store_access access,
                                      struct buffer *found);

/* ---- examine.c ---- */

/* As in store_backend.h. Opens the database as a file. */
enum store_prospect sqlite_examine(void *connection, struct buffer *found);
/* The same without reading files: adds to *why what denies access, if anything does.
 * Opens nothing. */
enum store_prospect sqlite_find_refusal(const struct sqlite_store *s,
                                        struct buffer *why);

/* ---- open.c: with the places locked, and the store taken ---- */

/* Opens the database at its path, after finding out which database the side files
 * belong to. Under the folder's lock. */
bool sqlite_open_database(struct sqlite_store *s);
/* Ends a connection to a database that was moved, replaced, overwritten or damaged.
 * A writer first moves the content of the WAL into the database that it belongs to,
 * if that still exists, and clears the place. */
void sqlite_let_go(struct sqlite_store *s);

/* ---- life.c ---- */

/* Whether the files are still those that were opened, see above. False also if the
 * place is damaged and this connection must check it. */
bool sqlite_is_in_place(struct sqlite_store *s);
/* Whether another file stands under one of their names now. */
bool sqlite_files_differ(const struct sqlite_store *s, struct sqlite_seen *now);
/* Whether this connection has to have a damaged place checked. */
bool sqlite_has_to_check(const struct sqlite_store *s);
/* The state of the open database file. */
enum own_file {
	FILE_IS_OWN,
	FILE_IS_FOREIGN, /* it has no mark that may follow the one it had */
	FILE_IS_UNKNOWN, /* it can't be read now */
};
enum own_file sqlite_is_own_file(struct sqlite_store *s);
/* Records the current state of the files. */
void sqlite_see_files(struct sqlite_store *s);

/* In a transaction that is about to be committed: draws or touches the mark if that
 * is due. */
bool sqlite_mark_if_due(struct sqlite_store *s);
/* After the commit. */
void sqlite_mark_committed(struct sqlite_store *s);
/* Reads the mark that the log has, and notes its page in s->mark_page. */
bool sqlite_read_mark(struct sqlite_store *s, struct mark *mark);

/* Commits only a mark: a write to the disk that leaves the log as it is. */
bool sqlite_commit_mark(struct sqlite_store *s);

/* ---- checkpoint.c: a writer's ---- */

/* Turns off SQLite's own checkpoints. */
void sqlite_watch_wal(struct sqlite_store *s);
/* Moves all of the WAL into the database; the WAL begins anew. */
bool sqlite_settle(struct sqlite_store *s);
/* After a commit: a checkpoint if one is due. */
void sqlite_checkpoint_if_due(struct sqlite_store *s);
/* As store_tend(). */
void sqlite_tend(void *connection);
/* For a connection whose file was moved or removed: moves all of the WAL into that
 * file. False: a part of it could not be moved. */
bool sqlite_empty_wal(struct sqlite_store *s);
/* Before a connection ends in good order. */
void sqlite_finish_wal(struct sqlite_store *s);

/* ---- incarnation.c ---- */

/* Reads the log's first tag, by which it is known for all its life. */
bool sqlite_read_first(struct sqlite_store *s, uint32_t *first);

/* For a writer that has just opened the database, or found it set back: checks
 * whether it has all that was acknowledged. Under the folder's lock. */
bool sqlite_recognise(struct sqlite_store *s);
/* If not, begins a new incarnation: after sqlite_settle(). */
bool sqlite_begin_if_due(struct sqlite_store *s);

/* In a transaction that writes: updates s->log to the newest incarnation's tag,
 * since another writer may have begun one. False also if another program has set the
 * log back, as the shell's .restore does; then s->is_set_back is true, and the next
 * sqlite_enter() recognises the log. */
bool sqlite_know_newest(struct sqlite_store *s);
/* s->log is as of the last transaction: it need not be read again until another
 * process has committed. */
void sqlite_note_version(struct sqlite_store *s);

/* Records that the log is committed up to this id. Call it before clients are
 * answered. */
void sqlite_acknowledge(struct sqlite_store *s, int64_t id);

/* As in store.h. */
bool sqlite_begin_incarnation(void *connection, struct log_end *end);

/* ---- append.c, as in store_backend.h ---- */

enum attempt sqlite_append(void *connection, struct append *appends, size_t count,
                           uint32_t *log);
enum attempt sqlite_append_each(void *connection, struct append *appends,
                                size_t count, uint32_t *log);
bool sqlite_probe(void *connection);

/* ---- changes.c ---- */

/* Finds the highest id removed from the room up to an id; 0: none. */
bool sqlite_find_hole(struct sqlite_store *s, int64_t room_id, int64_t upto,
                      int64_t *id);

/* As in store_backend.h. */
bool sqlite_read_changes(void *connection, struct changes_cut *cut);

/* ---- rows.c ---- */

/* Fills in all but the room, borrowed from the row. */
void sqlite_read_message(sqlite3_stmt *row, struct message *m);

/* The same for a row of LOG_AFTER, whose room is for room_id_read(). */
void sqlite_read_log_row(sqlite3_stmt *row, struct message *m, int64_t *room_id,
                         struct text *room_name);

/* Reads two columns for room_id_read(); borrowed from the row. */
void sqlite_column_room(sqlite3_stmt *row, int id_column, int name_column,
                        int64_t *room_id, struct text *name);

/* Steps to the next row of a statement whose first column is an id, in ascending order
 * from 1. *id is 0 after the last row up to `newest`; then the statement is reset.
 * False: SQLite has an error. */
bool sqlite_next_id(sqlite3_stmt *row, int64_t newest, int64_t *id);

/* Logs rows with ids below 1. False: SQLite has an error. */
bool sqlite_look_for_low_ids(struct sqlite_store *s);

/* False, and why: the highest id there can be was given out. */
bool sqlite_has_ids_left(struct sqlite_store *s);

/* ---- read.c ---- */

/* Reads the log's end within the caller's transaction, and its incarnations
 * if there are others by now. */
bool sqlite_read_end(struct sqlite_store *s, struct log_end *end);

/* A number that changes only when another connection has committed. */
bool sqlite_read_data_version(struct sqlite_store *s, int64_t *version);

/* Begin and finish a read that is of one moment. */
bool sqlite_begin_read(struct sqlite_store *s, struct log_end *end);
bool sqlite_finish_read(struct sqlite_store *s, bool good);

/* `end` is the log's end: ids may have been set back. */
bool sqlite_read_room_state(struct sqlite_store *s, int64_t room_id,
                            const struct log_end *end,
                            struct room_state *state);

/* Finds a room's id: *id is 0 if the room does not exist. */
bool sqlite_find_room(struct sqlite_store *s, const struct room_name *room,
                      int64_t *id);

/* The same with the room's state, which is {0} then. */
bool sqlite_find_state(struct sqlite_store *s, const struct room_name *room,
                       const struct log_end *end, int64_t *id,
                       struct room_state *state);

/* Reads a room's message with all but the room, which the caller has set. Returns
 * SQLite's code; *row is reset once the message is no longer needed. */
int sqlite_find_message(struct sqlite_store *s, int64_t room_id, int64_t id,
                        struct message *m, sqlite3_stmt **row);

/* As in store_backend.h. */
bool sqlite_log_end(void *connection, struct log_end *end);
bool sqlite_read_room(void *connection, const struct room_name *room,
                      struct page_cut *cut);
bool sqlite_read_states(void *connection, const struct room_name *rooms,
                        size_t count, struct room_state *states,
                        struct log_end *end);
bool sqlite_read_one(void *connection, const struct room_name *room, int64_t id,
                     store_visit *visit, void *context, struct log_end *end,
                     bool *found);
bool sqlite_read_log(void *connection, struct log_cut *cut);
bool sqlite_find_tail(void *connection, struct tail_cut *cut);

/* ---- all_rooms.c ---- */

/* As in store_backend.h. */
bool sqlite_read_all(void *connection, struct all_cut *cut);

/* ---- merge.c ---- */

/* Ends a read. Statements are kept for the next one. */
void sqlite_merge_reset(struct sqlite_merge *merge);
/* Before the connection ends. */
void sqlite_merge_release(struct sqlite_merge *merge);

/* As in store_backend.h. */
bool sqlite_read_rooms(void *connection, const struct room_name *rooms, size_t count,
                       struct rooms_cut *cut);

#endif
