#include "poll/answering.h"

#include "auth/access.h"
#include "metrics/metrics.h"
#include "poll/stream_bytes.h"

void answer_poll(struct poll *poll, struct answer *answer)
{
	struct answer *mine = poll->headers != NULL
		? answer_with_headers(answer, *poll->headers)
		: answer_ref(answer);

	/* With a thousand users in turn, each is out of the processor's cache. The
	 * prefetch ends while the kernel takes the answer, before the user's poll is
	 * counted out. */
	if (poll->user != NULL)
		__builtin_prefetch(poll->user, 1);
	connection_answer(&poll->connection, mine);
}

static void answer_and_unref(struct poll *poll, struct answer *answer)
{
	answer_poll(poll, answer);
	answer_unref(answer);
}

/* Whether the client is to come back soon. */
static bool is_transient(enum problem_type type)
{
	return problem_status(type) == 503 || type == PROBLEM_RATE_LIMITED;
}

static const char *headers_of(enum problem_type type, enum route_kind kind)
{
	if (is_transient(type))
		return "Retry-After: 1\r\n";
	if (type != PROBLEM_METHOD_NOT_ALLOWED)
		return "";
	return kind == ROUTE_EVENTS || kind == ROUTE_PRESENCE
		? "Allow: GET, HEAD\r\n" : "Allow: GET\r\n";
}

static struct answer *render_problem(struct problem problem, enum route_kind kind,
                                     bool closes)
{
	struct buffer body = {0};

	problem_render(&problem, &body);
	buffer_add_string(&body, "\n");
	struct answer *answer =
		answer_text(problem_status(problem.type),
	                    "application/problem+json", headers_of(problem.type, kind),
	                    buffer_text(&body), closes);
	buffer_release(&body);
	return answer;
}

/* Takes the answer, and returns one with WWW-Authenticate. */
static struct answer *challenge(const struct poll *poll, struct answer *answer,
                                struct problem problem)
{
	struct buffer headers = {0};

	access_add_challenge(&polls_of(poll)->settings->auth, problem, &headers);
	struct answer *challenging =
		answer_with_headers(answer, buffer_text(&headers));
	buffer_release(&headers);
	answer_unref(answer);
	return challenging;
}

void answer_refusal_of(struct poll *poll, enum route_kind kind,
                       struct problem problem)
{
	if (kind == ROUTE_EVENTS && is_transient(problem.type)) {
		stream_answer_problem(poll, problem);
		return;
	}
	struct answer *answer = render_problem(problem, kind,
	                                       connection_ends(&poll->connection));

	metrics_count_refusal(METRICS_pushd, problem.type);
	if (problem_status(problem.type) == 401)
		answer = challenge(poll, answer, problem);
	answer_and_unref(poll, answer);
}

void answer_refusal(struct poll *poll, struct problem problem)
{
	answer_refusal_of(poll, ROUTE_POLL, problem);
}

void answer_preflight(struct poll *poll)
{
	struct buffer headers = {0};

	access_add_preflight("GET", &headers);
	struct answer *answer = answer_empty(204, buffer_text(&headers),
	                                     connection_ends(&poll->connection));
	buffer_release(&headers);
	answer_and_unref(poll, answer);
}
