#include "poll/admission.h"

#include "auth/access_rooms.h"
#include "metrics/metrics.h"

static struct problem check_request(const struct connection *c,
                                    const struct poll_request *request)
{
	bool is_poll = request->kind == ROUTE_POLL;

	if (poll_request_has_rooms(request) && connection_is_too_many(c))
		return (struct problem){PROBLEM_OVERLOADED,
		                        "too many connections"};
	if (connection_method(c) != HTTP_GET && (is_poll || !c->is_head))
		return (struct problem){PROBLEM_METHOD_NOT_ALLOWED,
		                        is_poll ? "method not allowed: use GET"
		                                : "method not allowed: use GET "
		                                  "or HEAD"};
	if (connection_has_body(c))
		return (struct problem){PROBLEM_BAD_REQUEST,
		                        "a GET must have no body"};
	return (struct problem){PROBLEM_NONE, NULL};
}

static void make_pass(struct polls *polls, const struct grant *grant,
                      struct pass *pass)
{
	pass->expires = grant->expires;
	if (grant->identity->is_known)
		pass->user = users_ref(&polls->users,
		                       text_of(grant->identity->user_id));
}

/* Who asks, if that is known: by their credentials, or with auth.mode = open by what
 * the request says (NULL: it says nothing). */
static bool name_person(const struct polls *polls, const struct grant *grant,
                        const struct poll_request *request, struct person *person)
{
	const struct identity *identity = grant->identity;

	if (identity->is_known) {
		*person = (struct person){text_of(identity->user_id),
		                          text_of(identity->username),
		                          text_of(identity->sender_type)};
		return true;
	}
	if (request == NULL || request->user_id.size == 0 ||
	    polls->settings->auth.mode != AUTH_OPEN)
		return false;
	person->user_id = person->username = buffer_text(&request->user_id);
	if (request->username.size > 0)
		person->username = buffer_text(&request->username);
	person->sender_type = text_of("user");
	return true;
}

/* Finds the attendance for a pass that has its feed. */
static void find_attendance_for(struct polls *polls, const struct grant *grant,
                                const struct poll_request *request,
                                struct pass *pass)
{
	struct person person;

	if (polls->presence == NULL || pass->feed->kind == FEED_ALL)
		return;
	bool is_known = name_person(polls, grant, request, &person);
	pass->attendance = attendance_get(&polls->presence->attendances, pass->feed,
	                                  is_known ? &person : NULL);
	pass->renames = pass->attendance->renames;
}

static struct problem begin_verifying(struct poll *poll, struct text token)
{
	struct polls *polls = polls_of(poll);

	poll->verification = verifier_ask(polls->verifier, token, poll);
	if (poll->verification != NULL)
		return (struct problem){PROBLEM_NONE, NULL};
	metrics_add(METRIC_PUSHD_VERIFIED_NONE, 1);
	complaint_warn(&polls->about_verifying,
	               "tokens come faster than they can be verified");
	return (struct problem){PROBLEM_OVERLOADED,
	                        "too many tokens are waiting for verification: "
	                        "repeat after Retry-After"};
}

static struct credentials credentials_of(const struct request_head *head)
{
	return (struct credentials){
		.user_id = request_head_part(head, HEAD_USER_ID),
		.username = request_head_part(head, HEAD_USERNAME),
		.sender_type = request_head_part(head, HEAD_SENDER_TYPE),
		.read = request_head_part(head, HEAD_READ),
		.write = request_head_part(head, HEAD_WRITE),
		.authorization = request_head_part(head, HEAD_AUTHORIZATION),
		.cookie = request_head_part(head, HEAD_COOKIE),
		.origin = request_head_part(head, HEAD_ORIGIN),
	};
}

static struct feed *hold_allowed(struct hub *hub, const struct poll_request *request)
{
	const struct room_list *rooms = &request->rooms;
	struct buffer forbidden = {0};

	if (request->forbidden > 0)
		room_list_render(rooms->names + rooms->count, request->forbidden,
		                 &forbidden);
	struct feed *feed =
		hub_hold_feed(hub, rooms, buffer_text(&forbidden));
	buffer_release(&forbidden);
	return feed;
}

/* What a request gets that waits. */
static struct problem complete_pass(struct polls *polls, const struct grant *grant,
                                    const struct poll_request *request,
                                    struct pass *pass)
{
	pass->feed = hold_allowed(polls->hub, request);
	if (polls_are_too_many(polls, pass->user))
		return (struct problem){PROBLEM_RATE_LIMITED,
		                        "too many waiting polls for this user "
		                        "(limits.user_polls)"};
	find_attendance_for(polls, grant, request, pass);
	return (struct problem){PROBLEM_NONE, NULL};
}

/* Whether the user may read the rooms, or some of them. */
static struct problem let_in(struct poll *poll, struct poll_request *request,
                             struct token_proof *proof, struct pass *pass)
{
	struct polls *polls = polls_of(poll);
	const struct auth_settings *auth = &polls->settings->auth;
	const struct request_head *head = connection_head(&poll->connection);
	struct credentials credentials = credentials_of(head);
	struct grant grant;
	size_t allowed;

	credentials.proof = proof;
	if (head->is_ambiguous && auth->mode != AUTH_OPEN)
		return (struct problem){PROBLEM_BAD_REQUEST,
		                        "Authorization, Cookie, Origin or a "
		                        "Longroom- header is given twice"};
	struct problem wrong =
		access_rooms_ask(polls->access, auth, &credentials,
	                         &request->rooms, &allowed, poll_now(poll),
	                         &grant);
	if (grant.unverified.size > 0)
		return begin_verifying(poll, grant.unverified);
	if (wrong.type != PROBLEM_NONE)
		return wrong;
	/* The list of all rooms has no names. */
	request->forbidden = request->rooms.count - allowed;
	request->rooms.count = allowed;
	make_pass(polls, &grant, pass);
	if (poll_request_waits(request))
		wrong = complete_pass(polls, &grant, request, pass);
	access_release_grant(&grant);
	return wrong;
}

struct problem admit(struct poll *poll, struct poll_request *request,
                     struct problem in_target, struct token_proof *proof,
                     struct pass *pass)
{
	struct problem wrong;

	if (request->kind == ROUTE_NONE)
		return in_target;
	wrong = check_request(&poll->connection, request);
	if (wrong.type == PROBLEM_NONE && poll_request_has_rooms(request))
		wrong = let_in(poll, request, proof, pass);
	return wrong.type == PROBLEM_NONE ? in_target : wrong;
}

/* A feed that lacks forbidden rooms is not everybody's. */
static bool may_read_feed(const struct auth_settings *auth,
                          const struct grant *grant, const struct feed *feed)
{
	if (feed->kind == FEED_ALL)
		return access_may_read_all(auth, grant);
	for (size_t i = 0; i < feed->count; i++)
		if (!access_may(auth, grant, &feed->rooms[i].room->name,
		                ACCESS_READ))
			return false;
	return feed->forbidden.size == 0;
}

/* For a request that differs from the one in the memo only in its token. False: call
 * admit(), which gives the answer. */
static bool admit_alike(struct poll *poll, struct text token, struct pass *pass)
{
	struct polls *polls = polls_of(poll);
	const struct pass *first = &polls->memo.pass;
	struct grant grant;

	if (!access_identify_by_token(polls->access, token, poll_now(poll),
	                              &grant))
		return false;
	bool is_allowed =
		may_read_feed(&polls->settings->auth, &grant, first->feed);
	if (is_allowed) {
		*pass = (struct pass){.headers = first->headers};
		make_pass(polls, &grant, pass);
		pass->feed = first->feed;
		hub_hold_again(polls->hub, pass->feed);
		find_attendance_for(polls, &grant, NULL, pass);
	}
	access_release_grant(&grant);
	return is_allowed;
}

bool admit_by_token(struct poll *poll, struct text bytes, struct pass *pass)
{
	const struct polls *polls = polls_of(poll);
	struct text token = request_memo_token(&polls->memo, bytes);

	return token.size > 0 &&
	       bytes.size <= (size_t)polls->settings->limits.request_head &&
	       admit_alike(poll, token, pass);
}
