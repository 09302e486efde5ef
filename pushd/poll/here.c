#include "poll/here.h"

#include "poll/bounds.h"
#include "poll/presenter.h"

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

void here_forget(struct here_memo *memo)
{
	answer_unref(memo->pages[false]);
	answer_unref(memo->pages[true]);
	delivery_unref(memo->delivery);
	*memo = (struct here_memo){.delivery = NULL};
}

/* The memo's page for a delivery and rooms with these texts; NULL: not made yet. */
static struct answer **place_in_memo(struct here_memo *memo,
                                     struct delivery *delivery, uint64_t print,
                                     bool closes)
{
	if (memo->delivery != delivery || memo->print != print) {
		here_forget(memo);
		memo->delivery = delivery_ref(delivery);
		memo->print = print;
	}
	return &memo->pages[closes];
}

/* When the program shuts down each poll has a page of its own: it is kept short. */
struct answer *here_page(struct poll *poll, struct delivery *delivery)
{
	struct polls *polls = polls_of(poll);
	struct visit *visit = poll->visit;
	bool closes = connection_ends(&poll->connection);

	if (visit->count == 0 || delivery->retry_ms > 0)
		return present_page(delivery, closes, &polls->scratch);
	struct answer **page = place_in_memo(&polls->here, delivery,
	                                     print_of_rooms(visit), closes);
	if (*page == NULL) {
		*page = render_here(visit, delivery, closes, &polls->scratch);
		hub_charge(polls->hub, (*page)->size);
	}
	return *page;
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
