#include "store/foreign.h"

#include <inttypes.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/journal.h"

enum {
	TOLD_MAX = 64,       /* rows that are remembered, not to tell them again */
	TELLS_MAX = 10,      /* lines a minute */
	MINUTE_MS = 60000,
};

/* Of the process: its connections see the same rows. */
static struct {
	pthread_mutex_t lock;
	int64_t ids[TOLD_MAX];
	size_t count;
	int64_t minute_began_ms;
	int tells; /* since then */
} told = {.lock = PTHREAD_MUTEX_INITIALIZER, .minute_began_ms = INT64_MIN / 2};

static bool was_told(int64_t id)
{
	for (size_t i = 0; i < told.count && i < TOLD_MAX; i++)
		if (told.ids[i] == id)
			return true;
	return false;
}

static bool may_tell(int64_t id)
{
	int64_t now_ms = clock_monotonic_ms();

	if (was_told(id))
		return false;
	if (now_ms - told.minute_began_ms >= MINUTE_MS) {
		told.minute_began_ms = now_ms;
		told.tells = 0;
	}
	if (told.tells == TELLS_MAX)
		return false;
	told.tells++;
	told.ids[told.count++ % TOLD_MAX] = id;
	return true;
}

void foreign_pass_over(int64_t id, const char *why)
{
	pthread_mutex_lock(&told.lock);
	bool tell = may_tell(id);
	pthread_mutex_unlock(&told.lock);
	if (tell)
		journal_warning("skipped a row written by another program: %s: "
		                "msg_id=%" PRId64, why, id);
}

/* Clients would take one of Longroom's own types as said by Longroom. */
struct text foreign_type(struct text type)
{
	return message_is_type(type) && !message_is_own_type(type)
	               ? type
	               : (struct text){0};
}

bool foreign_may_be_given(const struct message *m)
{
	if (m->sender_id.size + m->sender_name.size + m->sender_type.size +
	            m->content.size + m->data.size + m->client_id.size <=
	    FOREIGN_ROW_BYTES_MAX)
		return true;
	foreign_pass_over(m->id, "it is longer than 4 MiB");
	return false;
}
