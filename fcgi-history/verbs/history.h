/* GET /rooms/{room}/messages and .../{id} (PROTOCOL section 5). */
#ifndef LONGROOM_HISTORY_H
#define LONGROOM_HISTORY_H

#include "store/store.h"
#include "verbs/request.h"

/* What to read. All is borrowed for the call. */
struct history_source {
	struct store *store;
	const struct rooms_settings *rooms;
	bool is_public; /* everyone may read it, so shared caches may keep it */
};

/* Both fill the request's answer. */
void history_page(const struct history_source *source, struct request *request);
void history_message(const struct history_source *source,
                     struct request *request);

#endif
