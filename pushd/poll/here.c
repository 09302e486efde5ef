#include "poll/here.h"

#include <stdlib.h>

#include "base/memory.h"
#include "loop/turn.h"
#include "poll/bounds.h"
#include "poll/presenter.h"

/* A page with the rooms as they were; a delivery's form. */
struct here_form {
	struct answer *answer;
	uint64_t print; /* of the rooms' texts */
};

void here_begin(struct poll *poll, struct attendance *attendance,
                const struct poll_terms *terms)
{
	const struct visit_terms visit = {
		.attends = poll->stream != NULL || terms->seconds > 0,
		.watches = terms->watches,
	};

	poll->waiter.is_long = terms->watches && poll->stream == NULL;
	if (visit.attends || visit.watches)
		poll->visit = visit_begin(polls_of(poll)->presence, attendance, &visit,
		                          poll, poll_now(poll)->steady_ms);
}

void here_end_visit(struct poll *poll)
{
	struct visit *visit = poll->visit;

	poll->visit = NULL;
	poll->waiter.is_long = false;
	visit_end(polls_of(poll)->presence, visit, poll_now(poll)->steady_ms);
}

/* ---- Pages ---- */

/* All that get a delivery follow the same rooms. */
static uint64_t print_of_rooms(struct visit *visit)
{
	uint64_t print = 0;

	for (size_t i = 0; i < visit->count; i++) {
		watched_text(visit->watches[i].room);
		print = print * 31 + visit->watches[i].room->print;
	}
	return print;
}

static struct answer *render_here(struct visit *visit,
                                  const struct delivery *delivery, bool closes,
                                  struct buffer *scratch)
{
	struct buffer entries = {0};

	for (size_t i = 0; i < visit->count; i++) {
		if (i > 0)
			buffer_add_string(&entries, ",");
		buffer_add_text(&entries, watched_text(visit->watches[i].room));
	}
	struct present_more more = {buffer_text(&entries), (int64_t)visit->count};
	struct answer *answer = present_with(delivery, &more, closes, scratch);
	buffer_release(&entries);
	return answer;
}

static void unref_here(void *form)
{
	struct here_form *here = form;

	answer_unref(here->answer);
	free(here);
}

static struct here_form *form_of(struct delivery *delivery, enum presenter_form kind)
{
	struct here_form *here = delivery_form(delivery, kind);

	if (here == NULL) {
		here = memory_get(sizeof *here);
		delivery_keep_form(delivery, kind, here, unref_here);
	}
	return here;
}

/* When the program shuts down each poll has a page of its own: it is kept short. */
struct answer *here_page(struct hub *hub, struct visit *visit,
                         struct delivery *delivery, bool closes,
                         struct buffer *scratch)
{
	if (visit->count == 0 || delivery->retry_ms > 0)
		return present_page(delivery, closes, scratch);

	struct here_form *here =
		form_of(delivery, closes ? FORM_CLOSING_HERE : FORM_HERE);
	uint64_t print = print_of_rooms(visit);
	if (here->answer != NULL && here->print == print)
		return here->answer;
	answer_unref(here->answer);
	here->answer = render_here(visit, delivery, closes, scratch);
	here->print = print;
	if (here->answer->size > TURN_LONG_BYTES)
		hub->render_left -= (int64_t)here->answer->size;
	return here->answer;
}

/* ---- Polls ---- */

int64_t here_first_look(struct poll *poll, int64_t due_ms)
{
	struct visit *visit = poll->visit;

	if (visit->count == 0)
		return due_ms;
	visit->due_ms = due_ms;
	int64_t first_ms = visit->begun_ms + HERE_POLL_MS;
	return first_ms < due_ms ? first_ms : due_ms;
}

/* True: it is answered. */
static bool answer_parked(struct poll *poll)
{
	return poll->waiter.state == WAITER_PARKED &&
	       hub_time_out(polls_of(poll)->hub, &poll->waiter);
}

bool here_go_on(struct poll *poll)
{
	const struct visit *visit = poll->visit;

	if (visit == NULL || visit->count == 0 ||
	    poll_now(poll)->steady_ms >= visit->due_ms)
		return false;
	int64_t since_ms = visit->begun_ms - HERE_BEFORE_MS;
	if (visit_has_changed(visit, since_ms) && answer_parked(poll))
		return true;
	connection_set_due(&poll->connection,
	                   bounds_not_beyond_expiry(poll, visit->due_ms));
	return true;
}

void here_tell_poll(struct poll *poll)
{
	if (poll_now(poll)->steady_ms - poll->visit->begun_ms >= HERE_POLL_MS)
		answer_parked(poll);
}
