#include "poll/waiting.h"

#include "poll/answering.h"
#include "poll/bounds.h"
#include "poll/here.h"
#include "poll/presenter.h"
#include "poll/stream.h"

/* How long after its time is up a poll waits for its read of the log. */
enum { OVERDUE_MS = 15000 };

static void refuse_expired(struct poll *poll)
{
	answer_refusal(poll, (struct problem){
				     PROBLEM_TOKEN_EXPIRED,
				     "the token expired while the poll was "
				     "waiting: repeat with a new token"});
}

/* The deadline of a waiting poll may come a moment after the expiry. */
static bool is_too_late(const struct poll *poll)
{
	return connection_is_parked(&poll->connection) &&
	       bounds_have_expired(poll);
}

static struct answer *page_for(struct poll *poll, struct delivery *delivery)
{
	if (poll->visit != NULL)
		return here_page(poll, delivery);
	return present_page(delivery, connection_ends(&poll->connection),
	                    &polls_of(poll)->scratch);
}

static void take_delivery(struct waiter *waiter, struct delivery *delivery)
{
	struct poll *poll = LIST_OWNER(waiter, struct poll, waiter);

	if (poll->stream != NULL)
		stream_take_delivery(poll, delivery);
	else if (is_too_late(poll))
		refuse_expired(poll);
	else
		answer_poll(poll, page_for(poll, delivery));
}

static void take_refusal(struct waiter *waiter, struct problem problem)
{
	struct poll *poll = LIST_OWNER(waiter, struct poll, waiter);

	if (poll->stream != NULL)
		stream_take_refusal(poll, problem);
	else if (is_too_late(poll))
		refuse_expired(poll);
	else
		answer_refusal(poll, problem);
}

const struct hub_handlers waiting_handlers = {take_delivery, take_refusal};

static int64_t due_in(const struct poll *poll, int64_t ms)
{
	return bounds_not_beyond_expiry(poll, poll_now(poll)->steady_ms + ms);
}

void waiting_stop_counting(struct poll *poll)
{
	poll->user->polls--;
	users_unref(&polls_of(poll)->users, poll->user);
	poll->user = NULL;
}

void waiting_begin(struct poll *poll, const struct poll_terms *terms,
                   const struct pass *pass)
{
	struct hub *hub = polls_of(poll)->hub;
	struct connection *c = &poll->connection;

	poll->headers = pass->headers;
	poll->expires = pass->expires;
	poll->waiter.from_now = terms->from_now;
	poll->waiter.cursor = terms->cursor;
	poll->waiter.must_answer = terms->seconds == 0;
	if (pass->attendance != NULL)
		here_begin(poll, pass->attendance, terms);
	hub_ask(hub, &poll->waiter, pass->feed);
	if (poll->waiter.state == WAITER_IDLE) {
		here_end(poll);
		return;
	}
	connection_forget_head(c);
	poll->is_overdue = false;
	bounds_start_counting(poll, pass->user);
	connection_park(c, here_first_due(
				   poll, due_in(poll, INT64_C(1000) * terms->seconds)));
	if (c->transport->draining)
		hub_drain_waiter(hub, &poll->waiter);
}

void waiting_heed_clock(struct poll *poll)
{
	struct connection *c = &poll->connection;

	if (bounds_have_expired(poll))
		refuse_expired(poll);
	else
		connection_set_due(c, bounds_not_beyond_expiry(
					      poll, c->deadline.due_ms));
}

void waiting_expire(struct poll *poll)
{
	struct hub *hub = polls_of(poll)->hub;

	if (bounds_have_expired(poll)) {
		refuse_expired(poll);
		return;
	}
	if (here_go_on(poll) || hub_time_out(hub, &poll->waiter))
		return;
	if (poll->is_overdue) {
		hub_give_up(hub, &poll->waiter);
		return;
	}
	poll->is_overdue = true;
	connection_set_due(&poll->connection, due_in(poll, OVERDUE_MS));
}

void waiting_drain(struct poll *poll)
{
	hub_drain_waiter(polls_of(poll)->hub, &poll->waiter);
}
