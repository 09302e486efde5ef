#include "poll/answering.h"

#include "auth/access.h"
#include "metrics/metrics.h"

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

static const char *headers_of(enum problem_type type)
{
	if (problem_status(type) == 503 || type == PROBLEM_RATE_LIMITED)
		return "Retry-After: 1\r\n";
	return type == PROBLEM_METHOD_NOT_ALLOWED ? "Allow: GET\r\n" : "";
}

static struct answer *render_problem(struct problem problem, bool closes)
{
	struct buffer body = {0};

	problem_render(&problem, &body);
	buffer_add_string(&body, "\n");
	struct answer *answer =
		answer_text(problem_status(problem.type),
	                    "application/problem+json", headers_of(problem.type),
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

void answer_refusal(struct poll *poll, struct problem problem)
{
	struct answer *answer =
		render_problem(problem, connection_ends(&poll->connection));

	metrics_count_refusal(METRICS_pushd, problem.type);
	if (problem_status(problem.type) == 401)
		answer = challenge(poll, answer, problem);
	answer_and_unref(poll, answer);
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
