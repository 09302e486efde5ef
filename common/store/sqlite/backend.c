/* The log in an SQLite database: the back-end's row, and its life. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "store/sqlite/place.h"
#include "store/sqlite/private.h"

/* Turns off SQLite's memory statistics, which nothing uses and which take a lock
 * shared by all threads. Has no effect once SQLite is in use. */
static void configure_library(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static void *sqlite_open(const struct store_settings *settings, const char *address,
                         enum store_access access)
{
	struct sqlite_store *s = memory_get(sizeof *s);
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, configure_library);
	s->path = memory_copy(address, strlen(address));
	s->access = access;
	s->busy_timeout_ms = (int)settings->busy_timeout;
	s->wal_warning_bytes = settings->wal_warning;
	pthread_mutex_init(&s->use, NULL);
	s->writers = writers_file_new();
	sqlite_paths_find(&s->paths, s->path);
	sqlite_place_join(s);
	return s;
}

/* At a regular end a writer leaves an empty WAL. SQLite removes it if this was the
 * last connection. */
static void backend_end_connection(struct sqlite_store *s)
{
	pthread_mutex_lock(&s->use);
	if (s->access == STORE_WRITE && s->db != NULL && sqlite_is_in_place(s))
		sqlite_finish_wal(s);
	sqlite_close_in_order(s);
	pthread_mutex_unlock(&s->use);
}

static void sqlite_close(void *connection)
{
	struct sqlite_store *s = connection;

	backend_end_connection(s);
	incarnations_release(&s->incarnations);
	sqlite_place_leave(s);
	writers_file_free(s->writers);
	sqlite_paths_release(&s->paths);
	pthread_mutex_destroy(&s->use);
	free(s->path);
	free(s);
}

static const char *sqlite_error(const void *connection)
{
	const struct sqlite_store *s = connection;

	return s->error;
}

static const struct incarnations *sqlite_incarnations(const void *connection)
{
	const struct sqlite_store *s = connection;

	return &s->incarnations;
}

static bool sqlite_is_hopeless(const void *connection)
{
	const struct sqlite_store *s = connection;

	return s->hopeless;
}

static bool sqlite_is_awaited(const void *connection)
{
	const struct sqlite_store *s = connection;

	return s->is_awaited && !s->place->had_log;
}

static void sqlite_visit_buses(void *connection, const char *published,
                               store_visit_bus *visit, void *context)
{
	struct sqlite_store *s = connection;

	writers_file_look(s->writers, s->paths.database, published, visit,
	                  context);
}

/* A relative path would depend on the current folder, and a name like :memory: is
 * not a path. */
static bool sqlite_check_address(const char *address, struct buffer *error)
{
	if (address[0] != '/') {
		buffer_printf(error, "%s: write an absolute path", address);
		return false;
	}
	bool is_folder = address[strlen(address) - 1] == '/';
	if (is_folder)
		buffer_printf(error, "%s names a folder, by the slash at its end: "
		              "name the database in it", address);
	return !is_folder;
}

const struct store_backend store_sqlite = {
	.scheme = "sqlite:",
	.check_address = sqlite_check_address,
	.open = sqlite_open,
	.close = sqlite_close,
	.error = sqlite_error,
	.connect = sqlite_connect,
	.examine = sqlite_examine,
	.is_hopeless = sqlite_is_hopeless,
	.is_awaited = sqlite_is_awaited,
	.append = sqlite_append,
	.append_each = sqlite_append_each,
	.probe = sqlite_probe,
	.visit_buses = sqlite_visit_buses,
	.tend = sqlite_tend,
	.begin_incarnation = sqlite_begin_incarnation,
	.log_end = sqlite_log_end,
	.incarnations = sqlite_incarnations,
	.read_room = sqlite_read_room,
	.read_rooms = sqlite_read_rooms,
	.read_all = sqlite_read_all,
	.read_log = sqlite_read_log,
	.find_tail = sqlite_find_tail,
	.read_changes = sqlite_read_changes,
	.read_states = sqlite_read_states,
	.read_one = sqlite_read_one,
};
