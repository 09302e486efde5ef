/* What a back-end gives store.c. The functions are those of store.h, with the
 * back-end's own connection in place of the store. */
#ifndef LONGROOM_STORE_BACKEND_H
#define LONGROOM_STORE_BACKEND_H

#include "config/settings.h"
#include "store/cut.h"
#include "store/outcome.h"

struct store_backend {
	const char *scheme; /* of store.url, with the colon */
	void *(*open)(const struct store_settings *settings, const char *address,
	              enum store_access access);
	void (*close)(void *connection);
	const char *(*error)(const void *connection);
	bool (*connect)(void *connection);
	/* Adds to *found what is there, or why it can't be used, and changes and makes
	 * nothing. For a process that has not connected. */
	enum store_prospect (*examine)(void *connection, struct buffer *found);
	bool (*is_hopeless)(const void *connection);
	bool (*is_awaited)(const void *connection);
	bool (*check_address)(const char *address, struct buffer *error);
	bool (*log_end)(void *connection, struct log_end *end);
	const struct incarnations *(*incarnations)(const void *connection);
	bool (*begin_incarnation)(void *connection, struct log_end *end);
	enum attempt (*append)(void *connection, struct append *appends, size_t count,
	                       uint32_t *log);
	enum attempt (*append_each)(void *connection, struct append *appends,
	                            size_t count, uint32_t *log);
	bool (*probe)(void *connection);
	void (*visit_buses)(void *connection, const char *published,
	                    store_visit_bus *visit, void *context);
	void (*tend)(void *connection);
	bool (*read_room)(void *connection, const struct room_name *room,
	                  struct page_cut *cut);
	bool (*read_states)(void *connection, const struct room_name *rooms,
	                    size_t count, struct room_state *states,
	                    struct log_end *end);
	bool (*read_changes)(void *connection, struct changes_cut *cut);
	bool (*read_one)(void *connection, const struct room_name *room,
	                 int64_t id, store_visit *visit, void *context,
	                 struct log_end *end, bool *found);
	bool (*read_log)(void *connection, struct log_cut *cut);
	bool (*find_tail)(void *connection, struct tail_cut *cut);
};

extern const struct store_backend store_sqlite;

#endif
