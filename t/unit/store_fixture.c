/* Stores for tests of the log, and what these tests do to them. */
#include "store_fixture.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* ---- SQLite ---- */

static void choose_sqlite_url(struct fixture *f)
{
	settings_use_sqlite(&f->settings, f->path);
}

void execute_on(const char *path, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, BUSY_MS);
	int code = sqlite3_exec(db, sql, NULL, NULL, NULL);
	sqlite3_close(db);
	expect(code == SQLITE_OK, "%s: %s", sql, sqlite3_errstr(code));
}

static void execute_sqlite(struct fixture *f, const char *sql)
{
	execute_on(f->path, sql);
}

const struct backend sqlite = {"SQLite", choose_sqlite_url, execute_sqlite};
static const struct backend *const backends[] = {&sqlite};

/* ---- A store of the test's own ---- */

int set_up(void **state)
{
	struct fixture *f = memory_get(sizeof *f);

	f->backend = *state;
	f->folder = folder_make();
	f->path = path_in(f->folder, "longroom.db");
	settings_init(&f->settings);
	f->settings.store.busy_timeout = BUSY_MS;
	f->backend->choose_url(f);
	f->writer = store_of(&f->settings, STORE_WRITE);
	f->reader = store_of(&f->settings, STORE_READ);
	*state = f;
	return 0;
}

int tear_down(void **state)
{
	struct fixture *f = *state;

	store_free(f->writer);
	store_free(f->reader);
	settings_release(&f->settings);
	buffer_release(&f->ids);
	buffer_release(&f->rooms);
	buffer_release(&f->contents);
	free(f->path);
	folder_remove(f->folder);
	free(f);
	return 0;
}

/* ---- Writing ---- */

struct message message_in(const char *room, const char *content)
{
	return (struct message){
		.room = room_named(room),
		.sender_id = text_of("2"),
		.sender_name = text_of("ann"),
		.sender_type = text_of("user"),
		.content = text_of(content),
		.sent_ms = 1795327320123,
	};
}

int64_t append(struct fixture *f, const char *room, const char *content)
{
	struct message m = message_in(room, content);
	struct append one = {.message = &m};
	uint32_t log;

	assert_done(f, store_append(f->writer, &one, 1, &log));
	assert_int_equal(one.outcome, APPEND_SAVED);
	return m.id;
}

/* ---- Reading ---- */

void note(void *context, const struct message *m)
{
	struct fixture *f = context;

	f->visits++;
	buffer_printf(&f->ids, "%lld ", (long long)m->id);
	buffer_printf(&f->rooms, "%s ", m->room.string);
	buffer_add_text(&f->contents, m->content);
	buffer_add_string(&f->contents, " ");
}

void forget(struct fixture *f)
{
	buffer_clear(&f->ids);
	buffer_clear(&f->rooms);
	buffer_clear(&f->contents);
	f->visits = 0;
}

/* ---- Tests ---- */

int run_with_each_backend(const struct CMUnitTest *tests, size_t count)
{
	struct CMUnitTest *own = memory_get(count * sizeof *own);
	int failed = 0;

	for (size_t b = 0; b < LENGTH(backends); b++) {
		memcpy(own, tests, count * sizeof *own);
		for (size_t i = 0; i < count; i++)
			own[i].initial_state = (void *)backends[b];
		failed += _cmocka_run_group_tests(backends[b]->name, own, count,
		                                  NULL, NULL);
	}
	free(own);
	return failed;
}
