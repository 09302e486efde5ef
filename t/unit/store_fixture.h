/* Stores for tests of the log, of each back-end. A group of tests that every
 * back-end must pass knows a store by its URL alone; a future back-end gets a row in
 * `backends` (store_fixture.c), and runs them all. */
#ifndef LONGROOM_STORE_FIXTURE_H
#define LONGROOM_STORE_FIXTURE_H

#include "unit.h"

enum { BUSY_MS = 100, ENOUGH = 1 << 20 };

struct fixture;

/* What the tests of all back-ends need beside store.h. */
struct backend {
	const char *name;
	/* Sets settings.store.url to a store of the fixture's own. */
	void (*choose_url)(struct fixture *f);
	/* Runs SQL on the store as another program does. */
	void (*execute)(struct fixture *f, const char *sql);
};

extern const struct backend sqlite;

struct fixture {
	const struct backend *backend;
	char *folder, *path;
	struct settings settings;
	struct store *writer, *reader;
	/* The result of the last read. */
	struct buffer ids; /* "1 2 3 " */
	struct buffer rooms, contents;
	int64_t visits;
};

/* The initial state is a back-end. */
int set_up(void **state);
int tear_down(void **state);

#define WITH_SQLITE(title, function)                                           \
	TEST_WITH(title, function, set_up, tear_down, (void *)&sqlite)
#define WITH_STORE(title, function)                                            \
	TEST_WITH(title, function, set_up, tear_down, NULL)

/* Runs a table of WITH_STORE with each back-end. Returns how many failed. */
int run_with_each_backend(const struct CMUnitTest *tests, size_t count);

/* Runs SQL on the database at this path. */
void execute_on(const char *path, const char *sql);

#define assert_done(f, done)                                                   \
	expect(done, "writer: %s; reader: %s", store_error((f)->writer),       \
	       store_error((f)->reader))

struct message message_in(const char *room, const char *content);
/* Appends one and returns its id. */
int64_t append(struct fixture *f, const char *room, const char *content);

/* A store_visit, whose context is a fixture: adds the message to its result. */
void note(void *context, const struct message *m);
/* Before a read. */
void forget(struct fixture *f);

#endif
