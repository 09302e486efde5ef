#include "poll/requests.h"

#include "auth/access.h"
#include "http/server.h"
#include "metrics/metrics.h"
#include "poll/admission.h"
#include "poll/alike.h"
#include "poll/answering.h"
#include "poll/here.h"
#include "poll/operator.h"
#include "poll/question.h"
#include "poll/stream.h"
#include "poll/stream_bytes.h"
#include "poll/waiting.h"

static void open_poll(struct connection *c)
{
	struct poll *poll = poll_of(c);

	list_init(&poll->waiter.link);
	/* Until it is a stream. */
	poll->waiter.is_patient = true;
}

static bool is_preflight(const struct poll *poll)
{
	const struct connection *c = &poll->connection;

	return connection_method(c) == HTTP_OPTIONS && !connection_has_body(c) &&
	       access_is_listed(&polls_of(poll)->settings->auth,
	                        request_head_part(connection_head(c),
	                                          HEAD_ORIGIN));
}

/* The part of the head by which requests of different users differ. */
static struct text bearing_credential(const struct poll *poll)
{
	if (polls_of(poll)->settings->auth.mode != AUTH_TOKEN)
		return (struct text){NULL, 0};
	return request_head_part(connection_head(&poll->connection),
	                         HEAD_AUTHORIZATION);
}

/* It must be verified within limits.head_timeout. */
static void wait_for_verifier(struct poll *poll)
{
	int64_t timeout_ms = polls_of(poll)->settings->limits.head_timeout;

	connection_park(&poll->connection,
	                poll_now(poll)->steady_ms + timeout_ms);
}

static void tell_operator(struct poll *poll, enum route_kind kind)
{
	struct answer *answer = operator_answer(polls_of(poll), kind);

	answer_poll(poll, answer);
	answer_unref(answer);
}

/* An admitted poll. */
static void begin_poll(struct poll *poll, struct text whole,
                       const struct poll_terms *terms, const struct pass *pass)
{
	struct polls *polls = polls_of(poll);

	if (!connection_ends(&poll->connection))
		request_memo_keep(&polls->memo, polls->hub, &polls->users, whole,
		                  terms, pass, bearing_credential(poll));
	waiting_begin(poll, terms, pass);
}

/* Without white space at its end, which HTTP allows. */
static struct text last_event_id(const struct request_head *head)
{
	struct text id = request_head_part(head, HEAD_LAST_EVENT_ID);

	while (id.size > 0 && (id.data[id.size - 1] == ' ' ||
	                       id.data[id.size - 1] == '\t'))
		id.size--;
	return id;
}

/* A browser comes back to the same URL: where it stands by now goes before where it
 * began. Twice, the header can't be read. */
static struct problem take_event_id(const struct request_head *head,
                                    struct poll_request *request,
                                    struct problem wrong)
{
	struct text id = last_event_id(head);

	if (head->has_two_event_ids)
		id = text_of("twice");
	if (request->kind != ROUTE_EVENTS || id.size == 0)
		return wrong;
	poll_request_take_event_id(request, id);
	return wrong.type == PROBLEM_BAD_CURSOR
		? (struct problem){PROBLEM_NONE, NULL} : wrong;
}

/* Reads the request whose head is complete. */
static struct problem read_request(const struct poll *poll,
                                   struct poll_request *request)
{
	const struct request_head *head = connection_head(&poll->connection);
	const struct settings *settings = polls_of(poll)->settings;
	const struct poll_rules rules = {
		.most_rooms = (size_t)settings->limits.rooms_per_request,
		.tells_presence = settings->push.presence != PRESENCE_OFF,
		.takes_names = settings->auth.mode == AUTH_OPEN,
	};
	struct problem wrong = poll_request_read(
		request_head_part(head, HEAD_TARGET), &rules, request);

	return take_event_id(head, request, wrong);
}

static void begin_stream(struct poll *poll, const struct poll_request *request,
                         const struct pass *pass)
{
	if (poll->connection.is_head)
		stream_answer_head(poll);
	else
		stream_begin(poll, request, pass);
}

/* Answers or parks a request; `wrong` is what was found wrong with its target. */
static void handle_read(struct poll *poll, struct text whole,
                        struct poll_request *request, struct problem wrong,
                        struct token_proof *proof)
{
	struct connection *c = &poll->connection;
	struct polls *polls = polls_of(poll);
	struct pass pass = {.headers = poll->headers, .expires = moment_never};

	wrong = admit(poll, request, wrong, proof, &pass);
	if (poll->verification != NULL) {
		wait_for_verifier(poll);
		return;
	}
	/* A connection over the limit must not stay. */
	if (wrong.type == PROBLEM_OVERLOADED && c->is_surplus)
		connection_end_after(c);
	if (wrong.type != PROBLEM_NONE)
		answer_refusal_of(poll, request->kind, wrong);
	else if (request->kind == ROUTE_POLL)
		begin_poll(poll, whole, &request->terms, &pass);
	else if (request->kind == ROUTE_EVENTS)
		begin_stream(poll, request, &pass);
	else if (request->kind == ROUTE_PRESENCE)
		question_begin(poll, request, &pass);
	else
		tell_operator(poll, request->kind);
	pass_release(&pass, polls->hub, &polls->users);
}

/* The proof is NULL unless the request's token was verified for it. */
static void look_at(struct poll *poll, struct text whole,
                    struct token_proof *proof)
{
	struct poll_request request;
	struct problem wrong = read_request(poll, &request);

	if (poll_request_has_rooms(&request) && is_preflight(poll))
		answer_preflight(poll);
	else
		handle_read(poll, whole, &request, wrong, proof);
	poll_request_release(&request);
}

static void take_request(struct connection *c, struct text whole)
{
	struct poll *poll = poll_of(c);

	poll->headers = polls_headers(polls_of(poll),
	                              request_head_part(connection_head(c),
	                                                HEAD_ORIGIN));
	look_at(poll, whole, NULL);
}

static void take_fault(struct connection *c, struct problem problem)
{
	const struct request_head *head = connection_head(c);
	struct poll *poll = poll_of(c);

	poll->headers =
		head != NULL ? polls_headers(polls_of(poll),
	                                     request_head_part(head, HEAD_ORIGIN))
			     : NULL;
	answer_refusal(poll, problem);
}

static void look_again(struct connection *c, void *proof)
{
	look_at(poll_of(c), (struct text){NULL, 0}, proof);
}

/* The head is still there, so the checks before still hold; but the program may have
 * begun to shut down. */
void requests_verified(void *owner, struct token_proof *proof)
{
	struct poll *poll = owner;

	metrics_add(proof->is_genuine ? METRIC_PUSHD_VERIFIED_GOOD
	                              : METRIC_PUSHD_VERIFIED_BAD, 1);
	poll->verification = NULL;
	connection_resume(&poll->connection, look_again, proof);
}

static bool recognise(struct connection *c, struct text bytes)
{
	struct poll *poll = poll_of(c);
	const struct request_memo *memo = &polls_of(poll)->memo;

	if (c->is_surplus)
		return false;
	if (request_memo_is(memo, bytes, poll_now(poll)))
		return alike_begin(poll, &memo->pass);
	return alike_begin_by_token(poll, bytes);
}

static void forget_verification(struct poll *poll)
{
	if (poll->verification != NULL)
		verifier_forget(polls_of(poll)->verifier, poll->verification);
	poll->verification = NULL;
}

static void give_up_verifying(struct poll *poll)
{
	struct poll_request request;

	read_request(poll, &request);
	metrics_add(METRIC_PUSHD_VERIFIED_NONE, 1);
	answer_refusal_of(poll, request.kind,
	                  (struct problem){PROBLEM_OVERLOADED,
	                                   "the token was not verified in time: "
	                                   "repeat after Retry-After"});
}

static void expire_parked(struct connection *c)
{
	struct poll *poll = poll_of(c);

	if (poll->verification != NULL)
		give_up_verifying(poll);
	else if (poll->asks_who)
		question_expire(poll);
	else if (poll->stream != NULL)
		stream_expire(poll);
	else
		waiting_expire(poll);
}

static void end_presence(struct poll *poll)
{
	if (poll->asks_who)
		question_release(poll);
	else
		here_end_visit(poll);
}

static void end_wait(struct connection *c)
{
	struct poll *poll = poll_of(c);

	forget_verification(poll);
	if (poll->stream != NULL)
		stream_release(poll);
	if (poll->visit != NULL)
		end_presence(poll);
	waiting_end(poll);
}

static void go_on_with_stream(struct connection *c)
{
	stream_go_on(poll_of(c));
}

static void heed_clock(struct connection *c)
{
	struct poll *poll = poll_of(c);

	if (poll->verification != NULL || poll->asks_who)
		return;
	if (poll->stream != NULL)
		stream_heed_clock(poll);
	else
		waiting_heed_clock(poll);
}

/* Waits for a token that is being verified. */
static void drain_poll(struct connection *c)
{
	struct poll *poll = poll_of(c);

	if (poll->verification != NULL)
		return;
	if (poll->asks_who)
		question_drain(poll);
	else if (poll->stream != NULL)
		stream_drain(poll);
	else
		waiting_drain(poll);
}

static void drain_hub(void *context, size_t parked)
{
	struct polls *polls = context;

	hub_drain(polls->hub, parked);
}

const struct http_handlers requests_handlers = {
	.connection_size = sizeof(struct poll),
	.opened = open_poll,
	.recognised = recognise,
	.requested = take_request,
	.faulty = take_fault,
	.expired = expire_parked,
	.unparked = end_wait,
	.written = go_on_with_stream,
	.clock_was_set = heed_clock,
	.drained = drain_poll,
	.draining = drain_hub,
};

static void extend_verifying(struct connection *c, void *ms)
{
	if (connection_is_parked(c) && poll_of(c)->verification != NULL)
		connection_set_due(c, c->deadline.due_ms + *(const int64_t *)ms);
}

void requests_extend_verifying(struct polls *polls, int64_t ms)
{
	server_visit(polls->server, extend_verifying, &ms);
}
