#include "connection.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "metrics/metrics.h"
#include "operator.h"
#include "presenter.h"
#include "server.h"

enum {
	RECEIVE_BYTES = 16 * 1024,
	SPARE_BYTES = 4 * 1024,
	/* Who reads so much in limits.write_timeout gets as much time again. */
	PROGRESS_BYTES = 64 * 1024,
};

static void process_input(struct connection *c, struct text data);

static void stop_counting(struct connection *c)
{
	c->user->polls--;
	users_unref(&c->server->users, c->user);
	c->user = NULL;
}

/* The only place where a connection changes its state. */
static void enter(struct connection *c, enum connection_state state)
{
	static const enum deadline_kind deadlines[] = {
		[CONNECTION_IDLE] = DEADLINE_IDLE,
		[CONNECTION_HEAD] = DEADLINE_HEAD,
		[CONNECTION_VERIFYING] = DEADLINE_VERIFY,
		[CONNECTION_WRITING] = DEADLINE_WRITE,
		[CONNECTION_LINGERING] = DEADLINE_LINGER,
	};

	if (c->state == CONNECTION_WAITING && c->user != NULL)
		stop_counting(c);
	c->state = state;
	if (state == CONNECTION_DEAD)
		deadline_clear(&c->deadline);
	else if (state == CONNECTION_HEAD && c->server->draining)
		server_set_deadline(c->server, c, DEADLINE_DRAIN);
	else if (state != CONNECTION_WAITING)
		server_set_deadline(c->server, c, deadlines[state]);
}

static void forget_verification(struct connection *c)
{
	if (c->verification != NULL)
		verifier_forget(c->server->verifier, c->verification);
	c->verification = NULL;
}

void connection_close(struct connection *c)
{
	if (c->state == CONNECTION_DEAD)
		return;
	forget_verification(c);
	hub_leave(c->server->hub, &c->waiter);
	close(c->fd);
	unread_end(&c->server->unread, &c->reader);
	/* Now, and not at the end of the loop's turn: in one turn a thousand may be
	 * cut off for a thousand others. */
	answer_unref(c->answer);
	c->answer = NULL;
	c->server->count--;
	list_append(&c->server->dead, &c->all);
	list_remove(&c->put_off);
	enter(c, CONNECTION_DEAD);
}

void connection_free(struct connection *c)
{
	list_remove(&c->all);
	buffer_release(&c->head.bytes);
	buffer_release(&c->input);
	free(c);
}

static void linger(struct connection *c)
{
	shutdown(c->fd, SHUT_WR);
	buffer_release(&c->input);
	enter(c, CONNECTION_LINGERING);
}

/* Most requests come in one piece, so one piece of memory serves them all. */
static void take_spare(struct connection *c)
{
	if (c->head.bytes.data == NULL) {
		c->head.bytes = c->server->spare;
		c->server->spare = (struct buffer){0};
	}
}

static void give_spare(struct connection *c)
{
	if (c->server->spare.data == NULL && c->head.bytes.room <= SPARE_BYTES) {
		c->server->spare = c->head.bytes;
		c->head.bytes = (struct buffer){0};
	}
	buffer_release(&c->head.bytes);
}

static void start_head(struct connection *c)
{
	http_parser_init(&c->parser, HTTP_REQUEST);
	c->parser.data = c;
	take_spare(c);
	request_head_clear(&c->head);
	c->headers = NULL;
	c->head_size = 0;
	c->head_check = (struct head_check){0};
	c->is_head = false;
	enter(c, CONNECTION_HEAD);
}

static bool has_unread(const struct connection *c)
{
	char byte;

	return recv(c->fd, &byte, 1, MSG_PEEK) > 0;
}

/* The answer is written: on to the next request, or to the end. Where nothing
 * but our own end closes the connection, its client has said all that it had to:
 * it can be closed at once, and we need not wait until ten thousand clients have
 * read their answers, which the kernel has. */
static void finish_request(struct connection *c)
{
	bool is_last = c->server->draining && !c->closes && !has_unread(c);
	bool closes = c->closes || c->answer->closes || c->server->draining;

	answer_unref(c->answer);
	c->answer = NULL;
	if (is_last) {
		connection_close(c);
		return;
	}
	if (closes) {
		linger(c);
		return;
	}
	c->is_kept = true;
	enter(c, CONNECTION_IDLE);
}

/* Memory for answers is bounded: whoever has read nothing for longest gives way. */
static void cut_slowest_readers(struct server *server)
{
	if (server->unread.bytes > server->settings->limits.unread)
		complaint_warn(&server->about_unread,
		               "limits.unread: cutting off who reads too "
		               "slowly, at %zu connections",
		               server->count);
	while (server->unread.bytes > server->settings->limits.unread) {
		struct unread_reader *slowest = unread_slowest(&server->unread);

		metrics_add(METRIC_PUSHD_CUT_UNREAD, 1);
		connection_close(LIST_OWNER(slowest, struct connection, reader));
	}
}

/* Somebody with a slow line gets to the end of a long page, which would be as long
 * the next time; a byte now and then is not enough for that. */
static void note_progress(struct connection *c)
{
	if (c->written - c->progress < PROGRESS_BYTES)
		return;
	c->progress = c->written;
	unread_go_on(&c->server->unread, &c->reader);
	server_set_deadline(c->server, c, DEADLINE_WRITE);
}

static void be_writing(struct connection *c)
{
	if (c->state == CONNECTION_WRITING) {
		note_progress(c);
		return;
	}
	c->progress = c->written;
	c->is_watched = false;
	enter(c, CONNECTION_WRITING);
	unread_begin(&c->server->unread, &c->reader, c->answer);
	cut_slowest_readers(c->server);
}

/* The client has to read before there is room for more. */
static void wait_to_write(struct connection *c)
{
	be_writing(c);
	if (c->state != CONNECTION_WRITING || c->is_watched)
		return;
	c->is_watched = true;
	poller_watch_writing(&c->server->poller, c->fd, c, true);
}

static void put_off(struct connection *c)
{
	list_append(&c->server->put_off, &c->put_off);
}

/* How much of what is left of an answer may be written in this turn; what is short
 * goes out in any case. */
static size_t share_to_write(const struct connection *c, size_t left)
{
	int64_t most = c->server->write_left;

	if (left <= TURN_LONG_BYTES)
		return left;
	if (most <= 0)
		return 0;
	return left < (size_t)most ? left : (size_t)most;
}

/* False: it takes no more for now, or never. */
static bool write_some(struct connection *c, size_t size, bool is_long)
{
	ssize_t sent = send(c->fd, c->answer->data + c->written, size,
	                    MSG_NOSIGNAL);

	if (sent >= 0) {
		c->written += (size_t)sent;
		if (is_long)
			c->server->write_left -= sent;
		return true;
	}
	if (errno == EINTR)
		return true;
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		wait_to_write(c);
	else
		connection_close(c);
	return false;
}

/* Writes what it can and may; the rest when the client has read, or in a turn to
 * come. */
static void write_answer(struct connection *c)
{
	/* HEAD gets the head alone (RFC 9110 section 9.3.2). */
	size_t size = c->is_head ? c->answer->head_size : c->answer->size;

	while (c->written < size) {
		size_t left = size - c->written;
		size_t share = share_to_write(c, left);

		if (share == 0) {
			be_writing(c);
			if (c->state == CONNECTION_WRITING)
				put_off(c);
			return;
		}
		if (!write_some(c, share, left > TURN_LONG_BYTES))
			return;
	}
	if (c->state == CONNECTION_WRITING) {
		if (c->is_watched)
			poller_watch_writing(&c->server->poller, c->fd, c,
			                     false);
		unread_end(&c->server->unread, &c->reader);
	}
	finish_request(c);
}

static void answer_with(struct connection *c, struct answer *answer)
{
	struct answer *mine = c->headers != NULL
		? answer_with_headers(answer, *c->headers)
		: answer_ref(answer);

	give_spare(c);
	/* Shared answers don't say it. */
	if (c->closes && !mine->closes) {
		c->answer = answer_closing(mine);
		answer_unref(mine);
	} else {
		c->answer = mine;
	}
	c->written = 0;
	/* Of a thousand users in turn each is far from the processor; it is here
	 * when the kernel has the answer (stop_counting). */
	if (c->user != NULL)
		__builtin_prefetch(c->user, 1);
	write_answer(c);
}

/* Requests that came early follow their answers; more than a few in a turn to
 * come. Not called from within process_input(), which goes on by itself. */
static void process_early_input(struct connection *c)
{
	struct buffer input = c->input;

	if (c->state != CONNECTION_IDLE || input.size == 0)
		return;
	c->input = (struct buffer){0};
	process_input(c, buffer_text(&input));
	buffer_release(&input);
}

/* Takes the answer, and returns one that says how to log in. */
static struct answer *challenge(const struct connection *c,
                                struct answer *answer,
                                struct problem problem)
{
	struct buffer headers = {0};

	access_add_challenge(&c->server->settings->auth, problem, &headers);
	struct answer *challenging =
		answer_with_headers(answer, buffer_text(&headers));
	buffer_release(&headers);
	answer_unref(answer);
	return challenging;
}

static void refuse(struct connection *c, struct problem problem)
{
	struct answer *answer =
		answer_problem(problem.type, problem.detail,
	                       c->closes || c->server->draining);

	metrics_count_refusal(METRICS_pushd, problem.type);
	if (problem_status(problem.type) == 401)
		answer = challenge(c, answer, problem);
	answer_with(c, answer);
	answer_unref(answer);
}

/* Refuses what can't be understood, and so can't be followed by anything. */
static void refuse_and_close(struct connection *c, enum problem_type type,
                             const char *detail)
{
	c->closes = true;
	refuse(c, (struct problem){type, detail});
}

/* Who may not be there any more is to hear no more. */
static bool has_expired(const struct connection *c)
{
	struct moment now = server_now(c->server);

	return moment_has_come(&c->expires, &now);
}

static void refuse_expired(struct connection *c)
{
	refuse(c, (struct problem){PROBLEM_TOKEN_EXPIRED,
	                           "the token has expired while the poll waited"});
}

static void take_delivery(struct waiter *waiter, struct delivery *delivery)
{
	struct connection *c = LIST_OWNER(waiter, struct connection, waiter);
	/* Otherwise process_input() is on the stack and goes on by itself. */
	bool was_waiting = c->state == CONNECTION_WAITING;

	/* Its deadline may come a moment later. */
	if (was_waiting && has_expired(c)) {
		refuse_expired(c);
	} else {
		struct answer *answer =
			present_page(delivery, c->closes || c->server->draining);

		answer_with(c, answer);
		answer_unref(answer);
	}
	if (was_waiting)
		process_early_input(c);
}

static void take_refusal(struct waiter *waiter, struct problem problem)
{
	struct connection *c = LIST_OWNER(waiter, struct connection, waiter);
	bool was_waiting = c->state == CONNECTION_WAITING;

	if (was_waiting && has_expired(c))
		refuse_expired(c);
	else
		refuse(c, problem);
	if (was_waiting)
		process_early_input(c);
}

const struct hub_handlers connection_waits = {take_delivery, take_refusal};

/* Never longer than who asks may be there, by either clock. */
static void shorten_wait(struct connection *c)
{
	struct server *server = c->server;
	const struct moment *expires = &c->expires;
	int64_t left_ms = expires->wall_ms - server->wall_ms;
	int64_t due_ms = expires->steady_ms;

	if (left_ms < due_ms - server->now_ms)
		due_ms = server->now_ms + left_ms;
	if (c->deadline.due_ms > due_ms)
		deadline_set(&server->deadlines, &c->deadline, due_ms);
}

/* How long it may wait for this. */
static void wait_for(struct connection *c, enum deadline_kind kind)
{
	server_set_deadline(c->server, c, kind);
	shorten_wait(c);
}

static void start_counting(struct connection *c, struct user *user)
{
	c->user = user;
	if (user == NULL)
		return;
	user->refcount++;
	user->polls++;
}

static void ask_hub(struct connection *c, const struct poll_request *request,
                    const struct pass *pass)
{
	c->headers = pass->headers;
	c->expires = pass->expires;
	c->waiter.from_now = request->from_now;
	c->waiter.cursor = request->cursor;
	c->waiter.must_answer = request->seconds == 0;
	hub_ask(c->server->hub, &c->waiter, &request->room);
	if (c->waiter.state == WAITER_IDLE)
		return;
	give_spare(c);
	c->is_overdue = false;
	enter(c, CONNECTION_WAITING);
	start_counting(c, pass->user);
	wait_for(c, DEADLINE_POLL + (int)request->seconds);
	if (c->server->draining)
		hub_drain_waiter(c->server->hub, &c->waiter);
}

static bool has_body(const struct http_parser *parser)
{
	return parser->uses_transfer_encoding ||
	       (parser->content_length > 0 &&
	        parser->content_length != UINT64_MAX);
}

static void tell_operator(struct connection *c, enum route_kind kind)
{
	struct answer *answer = operator_answer(c->server, kind);

	answer_with(c, answer);
	answer_unref(answer);
}

static struct problem check_request(const struct connection *c,
                                    const struct poll_request *request)
{
	bool is_poll = request->kind == ROUTE_POLL;

	if (is_poll && c->is_surplus && c->server->count > c->server->limit)
		return (struct problem){PROBLEM_OVERLOADED,
		                        "too many connections"};
	if (c->parser.method != HTTP_GET && (is_poll || !c->is_head))
		return (struct problem){PROBLEM_METHOD_NOT_ALLOWED,
		                        "ask with GET"};
	if (has_body(&c->parser))
		return (struct problem){PROBLEM_BAD_REQUEST,
		                        "a GET has no body here"};
	return (struct problem){PROBLEM_NONE, NULL};
}

static bool has_too_many_polls(const struct server *server,
                               const struct user *user)
{
	int64_t limit = server->settings->limits.user_polls;

	return user != NULL && limit > 0 && (int64_t)user->polls >= limit;
}

static void make_pass(struct server *server, const struct grant *grant,
                      struct pass *pass)
{
	pass->expires = grant->expires;
	if (grant->identity->is_known)
		pass->user = users_ref(&server->users,
		                        text_of(grant->identity->user_id));
}

/* Goes on in connection_verified(), unless there is no room for more. */
static struct problem begin_verifying(struct connection *c, struct text token)
{
	struct server *server = c->server;

	c->verification = verifier_ask(server->verifier, token, c);
	if (c->verification != NULL) {
		enter(c, CONNECTION_VERIFYING);
		return (struct problem){PROBLEM_NONE, NULL};
	}
	metrics_add(METRIC_PUSHD_VERIFIED_NONE, 1);
	complaint_warn(&server->about_verifying,
	               "tokens come faster than they can be verified");
	return (struct problem){PROBLEM_OVERLOADED,
	                        "too many tokens wait to be verified"};
}

/* Whether who asks may read the room: then they have a pass, unless the token has
 * to be verified first. Then there is a proof the next time. */
static struct problem let_in(struct connection *c,
                             const struct poll_request *request,
                             struct token_proof *proof, struct pass *pass)
{
	struct server *server = c->server;
	struct credentials credentials = request_head_credentials(&c->head);
	struct moment now = server_now(server);
	struct grant grant;

	credentials.proof = proof;
	if (c->head.is_ambiguous && server->settings->auth.mode != AUTH_OPEN)
		return (struct problem){PROBLEM_BAD_REQUEST,
		                        "a header is given twice"};
	struct problem wrong =
		access_ask(server->access, &server->settings->auth, &credentials,
	                   &request->room, ACCESS_READ, &now, &grant);
	if (grant.unverified.size > 0)
		return begin_verifying(c, grant.unverified);
	if (wrong.type != PROBLEM_NONE)
		return wrong;
	make_pass(server, &grant, pass);
	access_give_back(&grant);
	if (!has_too_many_polls(server, pass->user))
		return wrong;
	return (struct problem){PROBLEM_RATE_LIMITED,
	                        "too many of your polls wait already"};
}

/* What is wrong with a request whose target was read. */
static struct problem check_all(struct connection *c,
                                const struct poll_request *request,
                                struct problem in_target,
                                struct token_proof *proof, struct pass *pass)
{
	struct problem wrong;

	if (request->kind == ROUTE_NONE)
		return in_target;
	wrong = check_request(c, request);
	if (wrong.type == PROBLEM_NONE && request->kind == ROUTE_POLL)
		wrong = let_in(c, request, proof, pass);
	return wrong.type == PROBLEM_NONE ? in_target : wrong;
}

static bool is_preflight(const struct connection *c)
{
	return c->parser.method == HTTP_OPTIONS && !has_body(&c->parser) &&
	       access_is_listed(&c->server->settings->auth,
	                        request_head_part(&c->head, HEAD_ORIGIN));
}

static void answer_preflight(struct connection *c)
{
	struct buffer headers = {0};

	access_add_preflight("GET", &headers);
	struct answer *answer =
		answer_empty(204, buffer_text(&headers), c->closes);
	buffer_release(&headers);
	answer_with(c, answer);
	answer_unref(answer);
}

/* What would have to be another for somebody else to ask the same. */
static struct text bearing_credential(const struct connection *c)
{
	if (c->server->settings->auth.mode != AUTH_TOKEN)
		return (struct text){NULL, 0};
	return request_head_part(&c->head, HEAD_AUTHORIZATION);
}

/* The proof is NULL unless the request's token was verified for it. */
static void answer_request(struct connection *c, struct text whole,
                           struct token_proof *proof)
{
	struct text target = request_head_part(&c->head, HEAD_TARGET);
	struct pass pass = {.headers = c->headers, .expires = moment_never};
	struct poll_request request;
	struct problem wrong = poll_request_read(target, &request);

	if (request.kind == ROUTE_POLL && is_preflight(c)) {
		answer_preflight(c);
		return;
	}
	wrong = check_all(c, &request, wrong, proof, &pass);
	if (c->verification != NULL)
		return;
	/* A body would have to be read to find the next request; and who came
	 * over the limit is not to stay. */
	c->closes = c->closes || has_body(&c->parser) ||
	            (wrong.type == PROBLEM_OVERLOADED && c->is_surplus);
	if (wrong.type != PROBLEM_NONE) {
		refuse(c, wrong);
	} else if (request.kind != ROUTE_POLL) {
		tell_operator(c, request.kind);
	} else {
		if (!c->closes)
			request_memo_keep(&c->server->memo, &c->server->users,
			                  whole, &request, &pass,
			                  bearing_credential(c));
		ask_hub(c, &request, &pass);
	}
	users_unref(&c->server->users, pass.user);
}

/* The head of a request is there; `whole` is all of it if it came in one piece,
 * else empty. */
static void handle_request(struct connection *c, struct text whole)
{
	c->closes = !http_should_keep_alive(&c->parser) || c->parser.upgrade ||
	            c->parser.http_minor == 0 ||
	            c->server->draining;
	c->is_head = c->parser.method == HTTP_HEAD;
	c->headers = server_headers(c->server, request_head_part(&c->head,
	                                                         HEAD_ORIGIN));
	const char *complaint =
		c->parser.http_major != 1
			? "this is not HTTP/1"
			: head_check_complaint(&c->head_check,
	                                       c->parser.http_minor > 0);
	if (complaint != NULL)
		refuse_and_close(c, PROBLEM_BAD_REQUEST, complaint);
	else
		answer_request(c, whole, NULL);
}

/* Nothing that was checked before has changed, as the head is still there; but it
 * may be time to end. */
void connection_verified(void *owner, struct token_proof *proof)
{
	struct connection *c = owner;

	metrics_add(proof->is_genuine ? METRIC_PUSHD_VERIFIED_GOOD
	                              : METRIC_PUSHD_VERIFIED_BAD, 1);
	c->verification = NULL;
	c->closes = c->closes || c->server->draining;
	answer_request(c, (struct text){NULL, 0}, proof);
	process_early_input(c);
}

/* Whether who has this token, that was verified before, may ask what the last
 * one did: then he has a pass, which the caller gives back. */
static bool let_in_alike(struct server *server, struct text token,
                         struct pass *pass)
{
	const struct request_memo *memo = &server->memo;
	struct moment now = server_now(server);
	struct grant grant;

	if (!access_ask_for_token(server->access, &server->settings->auth, token,
	                          &memo->request.room, ACCESS_READ, &now, &grant))
		return false;
	*pass = (struct pass){.headers = memo->pass.headers,
	                      .expires = moment_never};
	make_pass(server, &grant, pass);
	access_give_back(&grant);
	return true;
}

static bool ask_alike(struct connection *c, const struct pass *pass)
{
	if (has_too_many_polls(c->server, pass->user))
		return false;
	c->closes = c->server->draining;
	c->is_head = false;
	ask_hub(c, &c->server->memo.request, pass);
	return true;
}

/* False: these bytes are not the request that was read last, or not only that:
 * they have to be read. */
static bool repeat_request(struct connection *c, struct text data)
{
	struct server *server = c->server;
	const struct request_memo *memo = &server->memo;
	struct moment now = server_now(server);
	struct text token;
	struct pass pass;

	if (c->is_surplus)
		return false;
	if (request_memo_is(memo, data, &now))
		return ask_alike(c, &memo->pass);
	token = request_memo_token(memo, data);
	if (token.size == 0 ||
	    data.size > (size_t)server->settings->limits.request_head ||
	    !let_in_alike(server, token, &pass))
		return false;
	bool asked = ask_alike(c, &pass);
	users_unref(&server->users, pass.user);
	return asked;
}

static int keep_name(struct http_parser *parser, const char *data, size_t size)
{
	struct connection *c = parser->data;

	request_head_add_name(&c->head, (struct text){data, size});
	return 0;
}

static int keep_value(struct http_parser *parser, const char *data, size_t size)
{
	struct connection *c = parser->data;

	request_head_add_value(&c->head, (struct text){data, size});
	return 0;
}

static int keep_target(struct http_parser *parser, const char *data, size_t size)
{
	struct connection *c = parser->data;

	request_head_add_target(&c->head, (struct text){data, size});
	return 0;
}

/* 1: no body follows; what does is not parsed, for the connection closes. */
static int end_head(struct http_parser *parser)
{
	(void)parser;
	return 1;
}

/* One request at a time: the rest of the input waits for its answer. */
static int end_request(struct http_parser *parser)
{
	http_parser_pause(parser, 1);
	return 0;
}

static const struct http_parser_settings parser_settings = {
	.on_url = keep_target,
	.on_header_field = keep_name,
	.on_header_value = keep_value,
	.on_headers_complete = end_head,
	.on_message_complete = end_request,
};

/* Parses as much of data as belongs to one request; returns how much it was. */
static size_t parse(struct connection *c, struct text data)
{
	size_t limit = (size_t)c->server->settings->limits.request_head;
	/* It may have been more a moment ago (SIGHUP). */
	size_t left = (size_t)c->head_size < limit ? limit - (size_t)c->head_size
	                                           : 1;
	size_t size = left < data.size ? left : data.size;
	size_t used = http_parser_execute(&c->parser, &parser_settings, data.data,
	                                  size);
	c->head_size += (int64_t)used;
	head_check_feed(&c->head_check, (struct text){data.data, used});
	bool is_whole = used == data.size && (size_t)c->head_size == used;
	switch (HTTP_PARSER_ERRNO(&c->parser)) {
	case HPE_PAUSED:
		handle_request(c, is_whole ? data : (struct text){NULL, 0});
		break;
	case HPE_OK:
		if (c->head_size >= (int64_t)limit)
			refuse_and_close(c,
			                 head_check_is_past_first_line(&c->head_check)
			                         ? PROBLEM_HEAD_TOO_LARGE
			                         : PROBLEM_TARGET_TOO_LONG,
			                 "the request's line and headers are "
			                 "longer than limits.request_head");
		break;
	default:
		refuse_and_close(c, PROBLEM_BAD_REQUEST, "this is not HTTP/1.1");
	}
	return used;
}

/* Keeps for later what comes while the client has an answer to get. */
static void keep_input(struct connection *c, struct text data)
{
	size_t limit = (size_t)c->server->settings->limits.request_head;

	if (c->input.size + data.size > limit) {
		metrics_add(METRIC_PUSHD_CUT_FLOOD, 1);
		connection_close(c);
	} else {
		buffer_add_text(&c->input, data);
	}
}

static void process_input(struct connection *c, struct text data)
{
	int requests = 0;

	while (data.size > 0 &&
	       (c->state == CONNECTION_IDLE || c->state == CONNECTION_HEAD)) {
		if (c->state == CONNECTION_IDLE && ++requests > TURN_REQUESTS) {
			buffer_add_text(&c->input, data);
			put_off(c);
			return;
		}
		if (c->state == CONNECTION_IDLE && repeat_request(c, data))
			return;
		if (c->state == CONNECTION_IDLE)
			start_head(c);
		size_t used = parse(c, data);
		data.data += used;
		data.size -= used;
	}
	if (data.size > 0 &&
	    (c->state == CONNECTION_VERIFYING || c->state == CONNECTION_WAITING ||
	     c->state == CONNECTION_WRITING))
		keep_input(c, data);
}

/* While the client has an answer to read, what it says is left to wait in the
 * kernel; so is what comes behind requests that were put off. */
static bool may_receive(const struct connection *c)
{
	return c->state != CONNECTION_WRITING && c->state != CONNECTION_DEAD &&
	       (c->state != CONNECTION_IDLE || c->input.size == 0);
}

/* Reads all there is: what is left would not be told again. Nor would an end
 * that was told with it: then the read that finds nothing more is worth its price.
 * One that says so much that there is no end is read on in the next turn. */
static void receive(struct connection *c)
{
	char data[RECEIVE_BYTES];
	ssize_t size = sizeof data;
	int reads = 0;

	while ((size == sizeof data || c->has_ended) && may_receive(c)) {
		if (++reads > TURN_READS) {
			put_off(c);
			break;
		}
		size = recv(c->fd, data, sizeof data, 0);
		if (size > 0) {
			process_input(c, (struct text){data, (size_t)size});
		} else if (size < 0 && errno == EINTR) {
			size = sizeof data;
		} else if (size == 0 ||
		           (errno != EAGAIN && errno != EWOULDBLOCK)) {
			connection_close(c);
		} else {
			break;
		}
	}
}

void connection_go_on(struct connection *c)
{
	if (c->state == CONNECTION_WRITING)
		write_answer(c);
	process_early_input(c);
	receive(c);
}

void connection_ready(void *owner, const struct poller_signs *signs)
{
	struct connection *c = owner;

	if (c->state == CONNECTION_DEAD)
		return;
	c->has_ended |= signs->has_ended;
	if (c->state == CONNECTION_WRITING && signs->is_broken) {
		connection_close(c);
		return;
	}
	if (c->state == CONNECTION_WRITING && signs->can_write)
		connection_go_on(c);
	else if (signs->can_read)
		receive(c);
}

void connection_new(struct server *server, int fd, bool is_surplus)
{
	struct connection *c = memory_get(sizeof *c);

	c->server = server;
	c->is_surplus = is_surplus;
	list_init(&c->all);
	list_init(&c->put_off);
	deadline_init(&c->deadline);
	unread_reader_init(&c->reader);
	list_init(&c->waiter.link);
	list_append(&server->connections, &c->all);
	server->count++;
	c->fd = fd;
	enter(c, CONNECTION_IDLE);
	if (!poller_add(&server->poller, fd, c)) {
		complaint_warn(&server->about_watching,
		               "can't watch a connection: %s", strerror(errno));
		connection_close(c);
	}
}

static void end_expired(struct connection *c)
{
	hub_leave(c->server->hub, &c->waiter);
	refuse_expired(c);
	process_early_input(c);
}

void connection_heed_clock(struct connection *c)
{
	if (c->state != CONNECTION_WAITING)
		return;
	if (has_expired(c))
		end_expired(c);
	else
		shorten_wait(c);
}

static void expire_poll(struct connection *c)
{
	struct hub *hub = c->server->hub;

	if (has_expired(c)) {
		end_expired(c);
		return;
	}
	if (hub_time_out(hub, &c->waiter))
		return;
	if (c->is_overdue) {
		hub_give_up(hub, &c->waiter);
		return;
	}
	c->is_overdue = true;
	wait_for(c, DEADLINE_OVERDUE);
}

static void give_up_verifying(struct connection *c)
{
	forget_verification(c);
	metrics_add(METRIC_PUSHD_VERIFIED_NONE, 1);
	refuse(c, (struct problem){PROBLEM_OVERLOADED,
	                           "the token could not be verified in time"});
	process_early_input(c);
}

static void count_cut(enum connection_state state)
{
	if (state == CONNECTION_HEAD)
		metrics_add(METRIC_PUSHD_CUT_HEAD, 1);
	else if (state == CONNECTION_WRITING)
		metrics_add(METRIC_PUSHD_CUT_WRITE, 1);
	else if (state == CONNECTION_IDLE)
		metrics_add(METRIC_PUSHD_CUT_IDLE, 1);
}

void connection_expire(struct connection *c)
{
	if (c->state == CONNECTION_WAITING) {
		expire_poll(c);
		return;
	}
	if (c->state == CONNECTION_VERIFYING) {
		give_up_verifying(c);
		return;
	}
	count_cut(c->state);
	if (c->state == CONNECTION_HEAD && !c->server->draining)
		refuse_and_close(c, PROBLEM_TOO_SLOW,
		                 "the head did not come within "
		                 "limits.head_timeout");
	else
		connection_close(c);
}

/* A client whose first request has not come yet, or not wholly, is given a
 * moment for it. One that was kept may be closed between two requests: its
 * client knows how to repeat (RFC 9112 section 9.3.1; nginx does). */
void connection_drain(struct connection *c)
{
	/* A request may have come that was not read yet, or was put off. */
	process_early_input(c);
	if (c->state == CONNECTION_IDLE || c->state == CONNECTION_HEAD)
		receive(c);
	if (c->state == CONNECTION_WAITING)
		hub_drain_waiter(c->server->hub, &c->waiter);
	else if (c->state == CONNECTION_IDLE && c->is_kept)
		connection_close(c);
	else if (c->state == CONNECTION_IDLE || c->state == CONNECTION_HEAD)
		server_set_deadline(c->server, c, DEADLINE_DRAIN);
}
