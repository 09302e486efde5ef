#include "poll/waiting.h"

#include "poll/answering.h"
#include "poll/presenter.h"

/* How long after its time is up a poll waits for its read of the log. */
enum { OVERDUE_MS = 15000 };

/* After the token's expiry the poll must get no messages. */
static bool has_expired(const struct poll *poll)
{
	return moment_has_come(&poll->expires, poll_now(poll));
}

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
	return connection_is_parked(&poll->connection) && has_expired(poll);
}

static void take_delivery(struct waiter *waiter, struct delivery *delivery)
{
	struct poll *poll = LIST_OWNER(waiter, struct poll, waiter);

	bool closes = connection_ends(&poll->connection);

	if (is_too_late(poll))
		refuse_expired(poll);
	else
		answer_poll(poll, present_page(delivery, closes,
		                               &polls_of(poll)->scratch));
}

static void take_refusal(struct waiter *waiter, struct problem problem)
{
	struct poll *poll = LIST_OWNER(waiter, struct poll, waiter);

	if (is_too_late(poll))
		refuse_expired(poll);
	else
		answer_refusal(poll, problem);
}

const struct hub_handlers waiting_handlers = {take_delivery, take_refusal};

/* The deadline is never later than the token's expiry, by either clock. */
static int64_t not_beyond_expiry(const struct poll *poll, int64_t due_ms)
{
	const struct moment *expires = &poll->expires;
	const struct moment *now = poll_now(poll);
	int64_t left_ms = expires->wall_ms - now->wall_ms;
	int64_t end_ms = expires->steady_ms;

	if (left_ms < end_ms - now->steady_ms)
		end_ms = now->steady_ms + left_ms;
	return end_ms < due_ms ? end_ms : due_ms;
}

static int64_t due_in(const struct poll *poll, int64_t ms)
{
	return not_beyond_expiry(poll, poll_now(poll)->steady_ms + ms);
}

static void start_counting(struct poll *poll, struct user *user)
{
	poll->user = user;
	if (user == NULL)
		return;
	user->refcount++;
	user->polls++;
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
	hub_ask(hub, &poll->waiter, pass->feed);
	if (poll->waiter.state == WAITER_IDLE)
		return;
	connection_forget_head(c);
	poll->is_overdue = false;
	start_counting(poll, pass->user);
	connection_park(c, due_in(poll, INT64_C(1000) * terms->seconds));
	if (c->transport->draining)
		hub_drain_waiter(hub, &poll->waiter);
}

void waiting_heed_clock(struct poll *poll)
{
	struct connection *c = &poll->connection;

	if (has_expired(poll))
		refuse_expired(poll);
	else
		connection_set_due(c, not_beyond_expiry(poll, c->deadline.due_ms));
}

void waiting_expire(struct poll *poll)
{
	struct hub *hub = polls_of(poll)->hub;

	if (has_expired(poll)) {
		refuse_expired(poll);
		return;
	}
	if (hub_time_out(hub, &poll->waiter))
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
