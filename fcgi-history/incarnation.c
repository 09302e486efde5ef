#include "incarnation.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/journal.h"
#include "store/store.h"

static int begin_none(const char *why)
{
	journal_error("no new incarnation has begun: %s", why);
	return EXIT_FAILURE;
}

int incarnation_begin(const struct settings *settings)
{
	struct buffer error = {0};
	struct store *store = store_new(&settings->store, STORE_WRITE, &error);
	struct log_end end;
	int status = EXIT_SUCCESS;

	buffer_add(&error, "", 1);
	if (store == NULL)
		status = begin_none(error.data);
	else if (!store_begin_incarnation(store, &end))
		status = begin_none(store_error(store));
	else
		printf("%s: incarnation %08" PRIx32 " begins after msg_id=%" PRId64
		       "\n", settings->store.url, end.log, end.newest);
	store_free(store);
	buffer_release(&error);
	return status;
}
