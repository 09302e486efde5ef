#include "store/store.h"

#include <stdlib.h>

#include "base/journal.h"
#include "base/memory.h"
#include "store/store_backend.h"

static const struct store_backend *const backends[] = {&store_sqlite};

const char store_no_id_left[] =
	"no id is left: the table messages has, or had, one of 9223372036854775807";

struct store {
	const struct store_backend *backend;
	void *connection;
	const char *url; /* borrowed */
};

/* Finds the back-end of a url and cuts its scheme off. */
static const struct store_backend *find_backend(const char **url,
                                                struct buffer *error)
{
	for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++) {
		size_t size = strlen(backends[i]->scheme);

		if (strncmp(*url, backends[i]->scheme, size) == 0) {
			*url += size;
			return backends[i];
		}
	}
	if ((*url)[0] == '/')
		buffer_printf(error, "%s: add the scheme: sqlite:%s", *url, *url);
	else
		buffer_printf(error, "%s: write sqlite: and an absolute path", *url);
	return NULL;
}

bool store_check_url(const char *url, struct buffer *error)
{
	const struct store_backend *backend = find_backend(&url, error);

	return backend != NULL && backend->check_address(url, error);
}

struct store *store_new(const struct store_settings *settings,
                        enum store_access access, struct buffer *error)
{
	const char *address = settings->url;
	const struct store_backend *backend = find_backend(&address, error);
	struct store *store;

	if (backend == NULL)
		return NULL;
	store = memory_get(sizeof *store);
	store->backend = backend;
	store->url = settings->url;
	store->connection = backend->open(settings, address, access);
	return store;
}

void store_free(struct store *store)
{
	if (store == NULL)
		return;
	store->backend->close(store->connection);
	free(store);
}

const char *store_error(const struct store *store)
{
	return store->backend->error(store->connection);
}

bool store_connect(struct store *store)
{
	return store->backend->connect(store->connection);
}

bool store_is_worth_a_start(struct store *store, struct buffer *found)
{
	if (store->backend->examine(store->connection, found) != STORE_UNUSABLE)
		return true;
	journal_error("can't open the database %s: %.*s", store->url,
	              TEXT_ARGS(buffer_text(found)));
	return false;
}

bool store_is_hopeless(const struct store *store)
{
	return store->backend->is_hopeless(store->connection);
}

bool store_is_awaited(const struct store *store)
{
	return store->backend->is_awaited(store->connection);
}

bool store_log_end(struct store *store, struct log_end *end)
{
	return store->backend->log_end(store->connection, end);
}

const struct incarnations *store_incarnations(const struct store *store)
{
	return store->backend->incarnations(store->connection);
}

bool store_begin_incarnation(struct store *store, struct log_end *end)
{
	return store->backend->begin_incarnation(store->connection, end);
}

/* A refused message does not prevent the others from being saved. */
static enum attempt attempt_append(struct store *store, struct append *appends,
                                   size_t count, uint32_t *log)
{
	enum attempt attempt = store->backend->append(store->connection, appends,
	                                              count, log);

	if (attempt == ATTEMPT_SPOILT)
		attempt = store->backend->append_each(store->connection, appends,
		                                      count, log);
	return attempt;
}

bool store_append(struct store *store, struct append *appends, size_t count,
                  uint32_t *log)
{
	enum attempt attempt = attempt_append(store, appends, count, log);

	if (attempt == ATTEMPT_VOID)
		attempt = attempt_append(store, appends, count, log);
	for (size_t i = 0; attempt != ATTEMPT_SAVED && i < count; i++)
		appends[i].message->id = 0;
	return attempt == ATTEMPT_SAVED;
}

bool store_probe(struct store *store)
{
	return store->backend->probe(store->connection);
}

void store_visit_buses(struct store *store, const char *published,
                       store_visit_bus *visit, void *context)
{
	store->backend->visit_buses(store->connection, published, visit, context);
}

void store_tend(struct store *store)
{
	store->backend->tend(store->connection);
}

bool store_read_room(struct store *store, const struct room_name *room,
                     const struct store_range *range, store_visit *visit,
                     void *context, struct store_page *page)
{
	struct page_cut cut = page_cut_begin(range, visit, context, page);
	bool good = store->backend->read_room(store->connection, room, &cut);

	if (good)
		page_cut_end(&cut);
	return good;
}

bool store_read_rooms(struct store *store, const struct room_name *rooms,
                      size_t count, const struct store_range *range,
                      store_visit *visit, void *context,
                      struct rooms_page *page)
{
	struct rooms_cut cut = rooms_cut_begin(range, visit, context, page);
	bool good = store->backend->read_rooms(store->connection, rooms, count,
	                                       &cut);

	if (good)
		rooms_cut_end(&cut);
	return good;
}

bool store_read_all(struct store *store, const struct store_range *range,
                    store_visit *visit, void *context, struct rooms_gaps *gaps,
                    struct rooms_page *page)
{
	struct all_cut cut = {
		.rooms = rooms_cut_begin(range, visit, context, page),
		.gaps = gaps};

	gaps->count = 0;
	gaps->pruned = 0;
	if (!store->backend->read_all(store->connection, &cut))
		return false;
	rooms_cut_end(&cut.rooms);
	return true;
}

bool store_read_states(struct store *store, const struct room_name *rooms,
                       size_t count, struct room_state *states,
                       struct log_end *end)
{
	return store->backend->read_states(store->connection, rooms, count,
	                                   states, end);
}

bool store_read_changes(struct store *store, int64_t since,
                        struct room_change *rooms, size_t most, size_t *count,
                        int64_t *upto, struct log_end *end)
{
	struct changes_cut cut = changes_cut_begin(since, rooms, most, end);
	bool good = store->backend->read_changes(store->connection, &cut);

	if (good)
		changes_cut_end(&cut);
	*count = cut.count;
	*upto = cut.upto;
	return good;
}

bool store_read_one(struct store *store, const struct room_name *room,
                    int64_t id, store_visit *visit, void *context,
                    struct log_end *end, bool *found)
{
	return store->backend->read_one(store->connection, room, id, visit,
	                                context, end, found);
}

bool store_read_log(struct store *store, int64_t id, int64_t limit,
                    int64_t bytes, store_visit *visit, void *context,
                    struct log_page *page)
{
	struct log_cut cut = log_cut_begin(id, limit, bytes, visit, context, page);
	bool good = store->backend->read_log(store->connection, &cut);

	if (good)
		log_cut_end(&cut);
	return good;
}

bool store_find_tail(struct store *store, int64_t bytes, int64_t *id)
{
	struct tail_cut cut = {.bytes = bytes};
	bool good = store->backend->find_tail(store->connection, &cut);

	if (good)
		*id = tail_cut_end(&cut);
	return good;
}
